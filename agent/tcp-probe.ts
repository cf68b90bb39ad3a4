/** Whether a guest accepts a TCP connection. */
import { connect } from "node:net";
import type { TcpProbe } from "./commands/command-context.ts";
import { abortReason } from "./deadline.ts";

/** Dials and hangs up. The signal bounds the time. */
export const probeTcp: TcpProbe = ({ host, port, signal }) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(abortReason(signal));
      return;
    }
    const socket = connect({ host, port });
    const finish = (settle: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = (): void => finish(() => reject(abortReason(signal)));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => finish(resolve));
    socket.once("error", (error) => finish(() => reject(error)));
  });
