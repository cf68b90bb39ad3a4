/** Which template's image is on which host, both ways, for one reading of the pool; built when it is first asked for. */
import type { HostId, TemplateId } from "../../../shared/ids.ts";
import type { HostRecord } from "../../pool/host.ts";
import { imageKey } from "../../pool/shape.ts";
import type { TemplateRecord } from "../../pool/template.ts";
import type { PoolView } from "../../pool/view.ts";

export class ImageIndex {
  private readonly view: PoolView;
  private templatesByKey: Map<string, TemplateId[]> | undefined;
  private hostsByKey: Map<string, HostId[]> | undefined;

  constructor(view: PoolView) {
    this.view = view;
  }

  /** The templates whose image or golden VM is on the host, sorted. */
  templatesOn(host: HostRecord): readonly TemplateId[] {
    this.templatesByKey ??= groupBy(this.view.templates.values(), (template) => [templateKey(template), template.id]);
    const found = new Set<TemplateId>();
    for (const key of hostKeys(host)) for (const id of this.templatesByKey.get(key) ?? []) found.add(id);
    return [...found].sort();
  }

  /** The hosts that have the template's image or golden VM, sorted. */
  hostsWith(template: TemplateRecord): readonly HostId[] {
    this.hostsByKey ??= groupBy(hostEntries(this.view.hosts.values()), (entry) => entry);
    return [...new Set(this.hostsByKey.get(templateKey(template)) ?? [])].sort();
  }
}

function templateKey(template: TemplateRecord): string {
  const { source } = template.spec;
  return source.kind === "catalog" ? `image ${imageKey(source.catalogId, source.version)}` : `vm ${source.vmName}`;
}

function* hostKeys(host: HostRecord): Generator<string> {
  for (const image of host.images) yield `image ${imageKey(image.catalogId, image.version)}`;
  for (const vm of host.foreignVms) yield `vm ${vm.name}`;
}

function* hostEntries(hosts: Iterable<HostRecord>): Generator<readonly [string, HostId]> {
  for (const host of hosts) for (const key of hostKeys(host)) yield [key, host.id];
}

function groupBy<T, V>(items: Iterable<T>, entryOf: (item: T) => readonly [string, V]): Map<string, V[]> {
  const groups = new Map<string, V[]>();
  for (const item of items) {
    const [key, value] = entryOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
