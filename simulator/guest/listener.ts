/** One TCP port of a guest. Closing it while it opens is as good as closing it later: nothing stays open. */
import { createServer, type Server, type Socket } from "node:net";

/** What a connection is told. */
const greeting = "simulated guest\r\n";
/** At once. */
const connectionCountMax = 100;

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  /** What had the port before; it is waited for. */
  readonly after: Promise<void> | undefined;
}

export class Listener {
  /** Resolves when the port is open, or closed again; with the error if it cannot be had. */
  readonly opened: Promise<Error | undefined>;
  /** Resolves when the port is free again. */
  readonly ended: Promise<void>;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #end = Promise.withResolvers<void>();
  #isClosed = false;

  constructor({ address, port, after }: ListenerOptions) {
    this.ended = this.#end.promise;
    this.#server = createServer((socket) => this.#take(socket));
    this.#server.maxConnections = connectionCountMax;
    this.opened = this.#open(address, port, after);
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) this.#server.close(() => this.#end.resolve());
  }

  async #open(address: string, port: number, after: Promise<void> | undefined): Promise<Error | undefined> {
    await after;
    const error = this.#isClosed ? undefined : await this.#listen(address, port);
    if (!this.#server.listening) this.#end.resolve();
    // Closed meanwhile, when there was nothing to close yet.
    else if (this.#isClosed) this.close();
    return error;
  }

  #listen(address: string, port: number): Promise<Error | undefined> {
    return new Promise((resolve) => {
      this.#server.once("error", resolve);
      this.#server.listen(port, address, () => resolve(undefined));
    });
  }

  #take(socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // A close follows, which is all that matters.
    socket.on("error", () => {});
    socket.write(greeting);
  }
}
