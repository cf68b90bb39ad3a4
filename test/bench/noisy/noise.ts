/** A process that asks as much as it can, the way a program does whose loop has no end; it ends with the one that started it. */
import { status } from "@grpc/grpc-js";
import { TlsCredentials } from "../../../agent/link/tls-credentials.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { PoolClient } from "../load/pool-client.ts";

export type NoiseOrder =
  | { readonly kind: "start"; readonly server: string; readonly ca: string; readonly token: string }
  | { readonly kind: "stop" };

/** What came of the calls since the start. */
export interface NoiseReport {
  readonly answered: number;
  readonly refused: number;
}

const connections = 4;
const callsAtOnce = 256;

let report = { answered: 0, refused: 0 };
let shouting = new AbortController();

process.on("message", (order: NoiseOrder) => {
  if (order.kind === "start") start(order);
  else shouting.abort();
});
process.once("disconnect", () => process.exit());

function start({ server, ca, token }: Extract<NoiseOrder, { kind: "start" }>): void {
  shouting = new AbortController();
  report = { answered: 0, refused: 0 };
  const clients = Array.from(
    { length: connections },
    () => new PoolClient(server, { credentials: new TlsCredentials({ ca: [ca] }), token }),
  );
  const loops = Array.from({ length: callsAtOnce }, (_, at) =>
    askOn(clients[at % connections] as PoolClient, at, shouting.signal),
  );
  void Promise.all(loops).then(() => {
    for (const client of clients) client.close();
    process.send?.(report);
  });
}

async function askOn(client: PoolClient, first: number, signal: AbortSignal): Promise<void> {
  for (let at = first; !signal.aborted; at += 1) {
    try {
      await ask(client, at);
      report.answered += 1;
    } catch (error) {
      // What the server itself says no to was answered too.
      const isLimited = (error as { code?: number }).code === status.RESOURCE_EXHAUSTED;
      if (isLimited) report.refused += 1;
      else report.answered += 1;
    }
  }
}

/** A list, a look at the pool, and a create that is refused: what such a program would ask. */
function ask(client: PoolClient, at: number): Promise<unknown> {
  if (at % 3 === 0) return client.call(VmService.method.listVms, { pageSize: 100 });
  if (at % 3 === 1) return client.call(PoolService.method.getPool, {});
  return client.call(VmService.method.createVm, { vm: { spec: { template: "templates/no-such" } } });
}
