/**
 * Which session has which host. A newer session of the same Mac takes the host over; another Mac that claims the id of one
 * that is connected is turned away, or the two would take turns for ever.
 */
import type { HostId } from "../../shared/ids.ts";
import { isOutdated } from "../pool/dial.ts";
import { type Ending, helloOutdated, hostIdTaken, superseded } from "./endings.ts";
import type { Identity, Session } from "./session.ts";

export class Registry {
  private readonly byHost = new Map<HostId, Session>();

  /** The host's open session. */
  find(host: HostId): Session | undefined {
    const session = this.byHost.get(host);
    return session?.isOpen === true ? session : undefined;
  }

  /**
   * Gives the session its host, or says why it cannot have it. `connect` is called before the older session ends, so that
   * the pool hears of the new one first and the host is not taken for gone in between.
   */
  claim(session: Session, who: Identity, connect: () => void): Ending | undefined {
    const older = this.byHost.get(who.host);
    if (older?.identity !== undefined && !isSameMac(older.identity, who)) return hostIdTaken(who.host);
    if (isOutdated(who.dial, older?.identity?.dial)) return helloOutdated();
    this.byHost.set(who.host, session);
    connect();
    older?.end(superseded(older.identity?.runId === who.runId ? 0 : -1));
    return undefined;
  }

  /** Forgets the session, unless a newer one has its host. */
  release(session: Session): void {
    const host = session.identity?.host;
    if (host !== undefined && this.byHost.get(host) === session) this.byHost.delete(host);
  }
}

/** Where the hardware cannot be told, the start of the Mac tells: no two Macs share one. */
function isSameMac(a: Identity, b: Identity): boolean {
  if (a.hardwareId !== "" && b.hardwareId !== "") return a.hardwareId === b.hardwareId;
  return a.bootId !== "" && a.bootId === b.bootId;
}
