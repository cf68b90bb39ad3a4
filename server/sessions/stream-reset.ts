/**
 * Resets the HTTP/2 stream under a call. A call that has ended waits until its peer has read everything; one whose peer
 * does not read would stay for ever, with all that is buffered for it. grpc-js offers a server no way to reset such a
 * stream, so this reaches for it behind the call. Should a later version keep it elsewhere, nothing happens here, and the
 * stream lives until its connection ends; `agentServerOptions` bounds how much that can be.
 */
import { constants } from "node:http2";

/** @returns whether the stream was found. */
export function resetStream(call: object): boolean {
  let holder: unknown = Reflect.get(call, "call");
  for (let depth = 0; depth < interceptorsMax && isObject(holder); depth += 1) {
    const stream: unknown = Reflect.get(holder, "stream");
    if (isObject(stream) && "close" in stream && typeof stream.close === "function") {
      // The peer's grpc library reads this code as RESOURCE_EXHAUSTED.
      Reflect.apply(stream.close, stream, [constants.NGHTTP2_ENHANCE_YOUR_CALM]);
      return true;
    }
    holder = Reflect.get(holder, "nextCall");
  }
  return false;
}

/** Each interceptor of the server is one more layer around the stream; there are none today. */
const interceptorsMax = 8;

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
