/** What planners decide. */
import type { HostId, Uid, VmId } from "../../../shared/ids.ts";
import type { CommandKind } from "../vm.ts";

/** Reserves a host's capacity for a waiting VM. */
export interface VmPlaced {
  readonly type: "vm-placed";
  readonly id: VmId;
  readonly host: HostId;
}

/** Has room build up on a host for a waiting VM, or gives back what was kept. */
export interface VmReserved {
  readonly type: "vm-reserved";
  readonly id: VmId;
  /** Absent: it is given back. */
  readonly host?: HostId;
}

/** Has others give way to a VM that waits. */
export interface VmPreempting {
  readonly type: "vm-preempting";
  readonly id: VmId;
  readonly host: HostId;
  /** They stand on that host. */
  readonly victims: readonly VmId[];
}

/** Takes back a VM's notice. */
export interface VmSpared {
  readonly type: "vm-spared";
  readonly id: VmId;
  /** On which it stands. */
  readonly host: HostId;
}

/** Gives a VM its next command. */
export interface VmCommanded {
  readonly type: "vm-commanded";
  readonly id: VmId;
  readonly kind: CommandKind;
  readonly force: boolean;
}

/** Ends or stops a VM of a revoked template. */
export interface VmRevoked {
  readonly type: "vm-revoked";
  readonly id: VmId;
}

/** Has an orphan removed from its host. */
export interface OrphanRemove {
  readonly type: "orphan-remove";
  readonly host: HostId;
  /** Its id in Parallels Desktop. */
  readonly hostVmId: string;
}

/** Has a host remove images of revoked templates, as its record and the templates say. */
export interface ImagesPurge {
  readonly type: "images-purge";
  readonly host: HostId;
}

/** Has a host begin with the next image that it is to pull, as its record and the templates say. */
export interface HostPrefetch {
  readonly type: "host-prefetch";
  readonly host: HostId;
}

/** Ends the probe of a host in quarantine, which has neither failed there nor been seen coming up. */
export interface HostProbed {
  readonly type: "host-probed";
  readonly id: HostId;
  /** The uid of the VM that it was probed with. */
  readonly vm: Uid;
  /** Whether the VM shows that the host can do it; otherwise it shows nothing. */
  readonly hasPassed: boolean;
}
