/** HTTP/2 as bytes (RFC 9113), with gRPC in it: what clients and agents send, frame by frame. */

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Numbers of frame types. */
const types = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
};
const endStream = 0x1;
const endHeaders = 0x4;

interface Frame {
  readonly type: keyof typeof types;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Uint8Array;
}

function frame({ type, flags = 0, stream = 0, payload = Buffer.alloc(0) }: Frame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(types[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without compression: every field a literal that is not indexed (RFC 7541, 6.2.2). */
function fieldBlock(fields: Readonly<Record<string, string>>): Buffer {
  const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]),
  );
}

function callOf(path: string): Buffer {
  return fieldBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    "grpc-timeout": "2S",
  });
}

/** A message as gRPC sends it: not compressed, and how long it is. */
export function grpcMessage(content: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

const opening = Buffer.concat([preface, frame({ type: "settings" })]);

/** A call with its messages, on a connection of its own. */
export function callBytes(path: string, messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    opening,
    frame({ type: "headers", flags: endHeaders, stream: 1, payload: callOf(path) }),
    ...messages.map((content) => frame({ type: "data", stream: 1, payload: grpcMessage(content) })),
    frame({ type: "data", flags: endStream, stream: 1 }),
  ]);
}

/** What has brought down servers of HTTP/2 before, each within bounds. */
export function hostileBytes(path: string): readonly Buffer[] {
  const call = callOf(path);
  const times = (count: number, make: (index: number) => Buffer): Buffer =>
    Buffer.concat([opening, ...Array.from({ length: count }, (_, index) => make(index))]);
  const streamOf = (index: number): number => 2 * index + 1;
  return [
    times(500, (index) =>
      Buffer.concat([
        frame({ type: "headers", flags: endHeaders, stream: streamOf(index), payload: call }),
        frame({ type: "reset", stream: streamOf(index), payload: Buffer.from([0, 0, 0, 8]) }),
      ]),
    ),
    times(1_000, () => frame({ type: "settings", payload: Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]) })),
    times(1_000, () => frame({ type: "ping", payload: Buffer.alloc(8) })),
    times(300, (index) =>
      frame({ type: index === 0 ? "headers" : "continuation", stream: 1, payload: Buffer.alloc(200) }),
    ),
    times(300, (index) => frame({ type: "priority", stream: streamOf(index), payload: Buffer.alloc(5) })),
    times(300, () => frame({ type: "window", payload: Buffer.from([0, 0, 0, 0]) })),
    times(2, () => frame({ type: "goAway", payload: Buffer.alloc(8) })),
    times(200, (index) => frame({ type: "headers", flags: endHeaders, stream: streamOf(index), payload: call })),
    // A message that says to be larger than any, and one that says to be compressed.
    Buffer.concat([
      opening,
      frame({ type: "headers", flags: endHeaders, stream: 1, payload: call }),
      frame({ type: "data", stream: 1, payload: Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]) }),
    ]),
    Buffer.concat([
      opening,
      frame({ type: "headers", flags: endHeaders, stream: 1, payload: call }),
      frame({ type: "data", flags: endStream, stream: 1, payload: Buffer.from([1, 0, 0, 0, 2, 0x1f, 0x8b]) }),
    ]),
  ];
}
