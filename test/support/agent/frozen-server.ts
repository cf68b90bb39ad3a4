/** A scripted server behind a relay that can stop passing bytes on while its sockets stay open: as a process that is frozen,
 * or a network that swallows everything. */
import { connect, createServer, type Socket } from "node:net";
import { startScriptedServer } from "./scripted-server.ts";

export interface FrozenServer {
  readonly address: string;
  /** From now on nothing gets through, in either direction. */
  freeze(): void;
  kill(): void;
}

export async function startFreezableServer(): Promise<FrozenServer> {
  const server = await startScriptedServer();
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const relay = createServer((near) => {
    const far = connect(Number(server.address.split(":")[1]), "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes) => {
        if (!isFrozen) to.write(bytes);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const bound = relay.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    freeze: () => {
      isFrozen = true;
    },
    kill: () => {
      for (const socket of sockets) socket.destroy();
      relay.close();
      server.close();
    },
  };
}
