/** Which VMs are of which template, those that are deleted left out. */
import type { TemplateId, VmId } from "../../shared/ids.ts";
import type { VmRecord } from "./vm.ts";

export class TemplateVms {
  private readonly ids = new Map<TemplateId, Set<VmId>>();

  /** They may change while they are gone through: whoever changes VMs takes a copy. */
  of(template: TemplateId): ReadonlySet<VmId> {
    return this.ids.get(template) ?? none;
  }

  follow(before: VmRecord | undefined, after: VmRecord | undefined): void {
    const was = templateOf(before);
    const is = templateOf(after);
    if (was === is) return;
    if (before !== undefined && was !== undefined) this.remove(was, before.id);
    if (after === undefined || is === undefined) return;
    const ids = this.ids.get(is);
    if (ids === undefined) this.ids.set(is, new Set([after.id]));
    else ids.add(after.id);
  }

  private remove(template: TemplateId, id: VmId): void {
    const ids = this.ids.get(template);
    ids?.delete(id);
    if (ids?.size === 0) this.ids.delete(template);
  }
}

function templateOf(vm: VmRecord | undefined): TemplateId | undefined {
  return vm === undefined || vm.state === "DELETED" ? undefined : vm.spec.template;
}

const none: ReadonlySet<VmId> = new Set();
