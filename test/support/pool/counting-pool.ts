/** A pool that counts how often somebody looks at a host. */
import { Pool } from "../../../server/pool/pool.ts";
import type { HostId } from "../../../shared/ids.ts";

export class CountingPool extends Pool {
  looks = 0;

  override ledger(host: HostId): ReturnType<Pool["ledger"]> {
    this.looks += 1;
    return super.ledger(host);
  }
}
