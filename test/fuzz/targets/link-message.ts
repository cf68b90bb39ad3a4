/** What agents say on the link, in the encoding of the wire. */
import { readHello, readInventory, readReport, readUse } from "../../../server/sessions/host-messages.ts";
import { Unacceptable } from "../../../server/sessions/unacceptable.ts";
import { ConnectRequest, ConnectResponse } from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { linkSamples } from "../link-samples.ts";
import { decoder, refusedBy, type TargetMaker, type Verdict } from "../target.ts";

const requests = decoder({
  name: "link-request",
  samples: linkSamples(),
  judge(input): Verdict | Promise<Verdict> {
    const request = decoded(() => ConnectRequest.decode(input));
    if (request === undefined) return "refused";
    return refusedBy(
      (error) => error instanceof Unacceptable,
      () => read(request),
    );
  },
});

/** What the server says is decoded by agents. */
const responses = decoder({
  name: "link-response",
  samples: [
    ConnectResponse.encode(
      ConnectResponse.fromPartial({
        acknowledged: 7,
        payload: {
          $case: "command",
          command: { id: "x-1", vmUid: "x", hostVmName: "meridian-x", action: { $case: "start", start: {} } },
        },
      }),
    ).finish(),
  ],
  judge: (input) => (decoded(() => ConnectResponse.decode(input)) === undefined ? "refused" : "decoded"),
});

/** Bytes that are no message are refused by the library, with errors of its own; gRPC tells the caller so. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}

function read({ payload }: ConnectRequest): void {
  switch (payload?.$case) {
    case "hello":
      readHello(payload.hello);
      break;
    case "heartbeat":
      readUse(payload.heartbeat);
      break;
    case "inventory":
      readInventory(payload.inventory);
      break;
    case "commandUpdate":
      readReport(payload.commandUpdate);
      break;
    default:
  }
}

export const linkTargets: readonly TargetMaker[] = [requests, responses];
