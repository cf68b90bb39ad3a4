/**
 * The account of what clients asked for and what they were told: of every VM, whether its create, its last wish and its
 * delete were acknowledged, or only asked for. Held against what a server shows, it finds every acknowledged change that was
 * lost, and everything that nobody asked for.
 */
import { VmStatus_State as State, type Vm, VmSpec_Wanted as Wanted } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";

export class AccountedVm {
  readonly id: string;
  /** Known once the create was acknowledged. */
  uid: string | undefined;
  isDeleteAsked = false;
  isDeleteAcknowledged = false;
  /** What may be wanted: one value, or two while a wish is on its way. */
  private wishes: readonly Wanted[] = [Wanted.RUNNING];

  constructor(id: string) {
    this.id = id;
  }

  created({ uid }: Vm): void {
    if (this.uid !== undefined && this.uid !== uid) throw new Error(`${this.id} was made twice: ${this.uid}, ${uid}`);
    this.uid = uid;
  }

  asks(wanted: Wanted): void {
    this.wishes = [...this.wishes, wanted];
  }

  acknowledged(wanted: Wanted): void {
    this.wishes = [wanted];
  }

  /** What is wrong with what a server shows of it; nothing if all is well. */
  complaint(shown: Vm | undefined): string | undefined {
    if (shown === undefined) {
      return this.uid !== undefined && !this.isDeleteAsked ? `${this.id}: its acknowledged create is lost` : undefined;
    }
    const wanted = shown.spec?.wanted ?? Wanted.UNSPECIFIED;
    if (this.uid !== undefined && shown.uid !== this.uid) {
      return `${this.id}: acknowledged as ${this.uid}, and is now ${shown.uid}`;
    }
    if (this.isDeleteAcknowledged && wanted !== Wanted.DELETED) return `${this.id}: its acknowledged delete is lost`;
    if (this.isDeleteAsked && wanted === Wanted.DELETED) return undefined;
    if (!this.wishes.includes(wanted)) {
      return `${this.id}: ${nameOf(wanted)} is wanted, and not ${this.wishes.map(nameOf).join(" or ")}`;
    }
    return shown.status?.state === State.FAILED ? `${this.id} failed: ${shown.status.message}` : undefined;
  }
}

export class Account {
  private readonly vms = new Map<string, AccountedVm>();
  /** Creates, wishes and deletes that were acknowledged. */
  acknowledgedCount = 0;

  /** A VM that somebody is about to ask for. */
  open(id: string): AccountedVm {
    const vm = new AccountedVm(id);
    this.vms.set(id, vm);
    return vm;
  }

  /** VMs that were acknowledged and that nobody asked to delete. */
  get living(): readonly AccountedVm[] {
    return [...this.vms.values()].filter(({ uid, isDeleteAsked }) => uid !== undefined && !isDeleteAsked);
  }

  /**
   * Holds it against all VMs of a server that are not deleted, and returns what is wrong. VMs whose delete was acknowledged
   * and that are gone leave the account.
   */
  audit(shown: readonly Vm[]): readonly string[] {
    const byId = new Map(shown.map((vm) => [vm.name.replace(/^vms\//, ""), vm]));
    const complaints: string[] = [];
    for (const vm of this.vms.values()) {
      const found = byId.get(vm.id);
      byId.delete(vm.id);
      const complaint = vm.complaint(found);
      if (complaint !== undefined) complaints.push(complaint);
      else if (found === undefined && vm.isDeleteAcknowledged) this.vms.delete(vm.id);
    }
    return [...complaints, ...[...byId.keys()].map((id) => `${id}: nobody asked for it`)];
  }
}

function nameOf(wanted: Wanted): string {
  return Object.entries(Wanted).find(([, value]) => value === wanted)?.[0] ?? String(wanted);
}
