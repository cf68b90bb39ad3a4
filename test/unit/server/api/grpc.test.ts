import assert from "node:assert/strict";
import { connect } from "node:net";
import { ServerCredentials } from "@grpc/grpc-js";
import { everybody } from "../../../../server/access/admission.ts";
import { createErrorReporter } from "../../../../server/api/error-status.ts";
import { createGrpcApi } from "../../../../server/api/grpc.ts";
import { ActiveCalls } from "../../../../server/api/rpc/active-calls.ts";
import { listenGrpc } from "../../../../server/listening.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { randomIds } from "../../../../shared/ids.ts";
import { silentLogger } from "../../../../shared/log.ts";

describe("the gRPC port", () => {
  for (const [peer, bytes] of [
    ["says nothing", ""],
    ["stops within HTTP/2's first line", "PRI * HT"],
    ["says HTTP/2's first line and no more", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ] as const) {
    it(`closes a connection whose peer ${peer}`, async () => {
      const { server } = createGrpcApi([], {
        calls: new ActiveCalls(),
        errors: createErrorReporter(randomIds, silentLogger, () => assert.fail("nothing is called")),
        admission: everybody,
        clock: systemClock,
        keepalive: { periodMs: 40, timeoutMs: 20 },
      });
      const { host, port } = await listenGrpc(server, ServerCredentials.createInsecure(), {
        field: "listen",
        address: { host: "127.0.0.1", port: 0 },
      });
      const socket = connect({ host, port });
      try {
        if (bytes !== "") socket.write(bytes);
        await new Promise<void>((resolve, reject) => {
          socket.once("close", () => resolve()).once("error", () => resolve());
          socket.resume().setTimeout(2000, () => reject(new Error("the connection is still open")));
        });
      } finally {
        socket.destroy();
        server.forceShutdown();
      }
    });
  }
});
