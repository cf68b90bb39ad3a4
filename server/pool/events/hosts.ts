/** What operators ask of hosts. */
import type { HostId } from "../../../shared/ids.ts";
import type { HostSpec } from "../host.ts";

/** Cordon, uncordon and drain are changes of a host's spec too. */
export interface HostUpdate {
  readonly type: "host-update";
  readonly id: HostId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: HostSpec;
}

/** Ends a host's quarantine and forgets what failed there. */
export interface HostRelease {
  readonly type: "host-release";
  readonly id: HostId;
  readonly etag?: string;
}

export interface HostDelete {
  readonly type: "host-delete";
  readonly id: HostId;
  readonly etag?: string;
  readonly force: boolean;
}
