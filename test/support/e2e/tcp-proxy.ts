/** A TCP proxy between an agent and its server, whose link a test cuts, stalls, delays or closes in one direction. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "to-server" | "to-agent";
export type LinkFault = "cut" | "stall" | "stall to-server" | "stall to-agent" | "delay";

/** How long a delayed link holds each piece back, in ms: longer than a round trip between continents. */
const delayMs = 200;

export class TcpProxy {
  /** Where the agent dials. */
  readonly address: string;
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private fault: LinkFault | undefined;

  /** @param target the server's address for agents. */
  static async open(target: string): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, target);
  }

  private constructor(server: Server, target: string) {
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    this.address = `127.0.0.1:${bound.port}`;
    this.server = server;
    const [host = "", port = ""] = target.split(":");
    server.on("connection", (agent) => {
      if (this.fault === "cut") {
        agent.destroy();
        return;
      }
      const link = new Link(agent, connect(Number(port), host));
      this.links.add(link);
      link.onClosed(() => this.links.delete(link));
      link.apply(this.fault);
    });
  }

  /** From now on, until `heal`. */
  breakLink(fault: LinkFault): void {
    this.fault = fault;
    for (const link of this.links) link.apply(fault);
  }

  /** What was held back goes on, in order. */
  heal(): void {
    this.fault = undefined;
    for (const link of this.links) link.apply(undefined);
  }

  async close(): Promise<void> {
    for (const link of this.links) link.apply("cut");
    this.server.close();
    await once(this.server, "close");
  }
}

/** One connection through the proxy. */
class Link {
  private readonly sockets: readonly [Socket, Socket];
  private readonly lanes: Readonly<Record<Direction, Lane>>;

  constructor(agent: Socket, server: Socket) {
    this.sockets = [agent, server];
    this.lanes = { "to-server": new Lane(agent, server), "to-agent": new Lane(server, agent) };
    for (const socket of this.sockets) {
      // Whatever breaks on one side ends both; the close that follows tells it.
      socket.on("error", () => undefined);
      socket.on("close", () => this.end());
    }
  }

  onClosed(listener: () => void): void {
    this.sockets[0].once("close", listener);
  }

  apply(fault: LinkFault | undefined): void {
    if (fault === "cut") this.end();
    for (const direction of ["to-server", "to-agent"] as const) {
      this.lanes[direction].hold(fault === "stall" || fault === `stall ${direction}`);
      this.lanes[direction].delay(fault === "delay" ? delayMs : 0);
    }
  }

  private end(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** One direction of a link: pieces leave in the order in which they came. */
class Lane {
  private readonly to: Socket;
  private readonly held: Buffer[] = [];
  private isHeld = false;
  private delayMs = 0;

  constructor(from: Socket, to: Socket) {
    this.to = to;
    from.on("data", (piece) => {
      this.held.push(piece);
      if (this.delayMs > 0) setTimeout(() => this.flush(), this.delayMs);
      else this.flush();
    });
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    this.flush();
  }

  delay(ms: number): void {
    this.delayMs = ms;
  }

  private flush(): void {
    if (this.isHeld) return;
    for (const piece of this.held.splice(0)) if (this.to.writable) this.to.write(piece);
  }
}
