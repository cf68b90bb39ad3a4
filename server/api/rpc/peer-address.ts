/** Where a call comes from, as grpc-js tells it. */

/** The host of `host:port`; a caller's port says nothing. */
export function peerAddress(peer: string): string {
  return peer.replace(/:\d+$/, "");
}
