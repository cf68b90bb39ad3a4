import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { pino } from "pino";
import { createErrorReporter, toConnectError, toGrpcStatus } from "../../../../server/api/error-status.ts";
import {
  type ErrorReason,
  errorReasons,
  fieldInvalid,
  grpcCodes,
  MeridianError,
  notFound,
} from "../../../../shared/errors.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../../../shared/gen/es/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../../shared/gen/es/google/rpc/status_pb.ts";
import { randomIds } from "../../../../shared/ids.ts";

const reasons = Object.keys(errorReasons) as ErrorReason[];

describe("errors on the wire", () => {
  for (const reason of reasons) {
    it(`${reason} has its code and its reason in both protocols`, () => {
      const error = new MeridianError(reason, "what happened", { metadata: { a: "b" } });
      const status = toGrpcStatus(error);
      assert.equal(status.code, grpcCodes[errorReasons[reason]]);
      const told = statusOf(status);
      assert.equal(told.code, status.code);
      assert.equal(told.message, "what happened");
      const info = told.details.map((detail) => anyUnpack(detail, ErrorInfoSchema))[0];
      assert.deepEqual([info?.reason, info?.domain, info?.metadata], [reason, "meridian", { a: "b" }]);
      const connect = toConnectError(error);
      assert.equal(connect.code, grpcCodes[error.code]);
      assert.equal(connect.rawMessage, "what happened");
    });
  }

  it("carry the fields, the resource and the time to wait", () => {
    const error = new MeridianError("LIMIT_REACHED", "full", {
      resource: "vms/a",
      retryAfterMs: 1500,
      fields: [{ field: "f", description: "d" }],
    });
    const { details } = statusOf(toGrpcStatus(error));
    const unpacked = [BadRequestSchema, ResourceInfoSchema, RetryInfoSchema].map((schema, index) => {
      const detail = details[index + 1];
      assert(detail !== undefined);
      return anyUnpack(detail, schema);
    });
    assert.deepEqual(
      unpacked.map((message) => message?.$typeName),
      ["google.rpc.BadRequest", "google.rpc.ResourceInfo", "google.rpc.RetryInfo"],
    );
    const detail = details[3];
    assert(detail !== undefined);
    assert.deepEqual(anyUnpack(detail, RetryInfoSchema)?.retryDelay?.nanos, 500_000_000);
    const resource = details[2];
    assert(resource !== undefined);
    assert.deepEqual(anyUnpack(resource, ResourceInfoSchema)?.resourceType, "vms");
  });

  it("stay small enough for headers, and well-formed", () => {
    const error = new MeridianError("FIELD_INVALID", `\ud800${"é".repeat(10_000)}`, {
      fields: Array.from({ length: 100 }, () => ({ field: "x".repeat(1000), description: "y".repeat(1000) })),
    });
    const status = toGrpcStatus(error);
    assert(status.details.isWellFormed());
    const bytes = status.metadata.get("grpc-status-details-bin")[0]?.length ?? 0;
    assert(bytes > 0 && bytes < 8192, String(bytes));
  });

  it("keep what is not ours inside, under an id that the log has", () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    const faults: unknown[] = [];
    const bug = new TypeError("secret internals");
    const told = createErrorReporter(randomIds, log, (error) => faults.push(error)).toMeridianError(bug, "x/Y");
    assert.equal(told.reason, "INTERNAL_ERROR");
    assert.equal(toConnectError(told).code, Code.Internal);
    assert(!told.message.includes("secret"));
    const id = told.options.metadata?.["error_id"] ?? "";
    assert.match(told.message, new RegExp(id));
    assert.equal(JSON.parse(lines[0] ?? "{}").error_id, id);
    assert.deepEqual(faults, [bug]);
  });

  it("that are ours are neither changed nor logged", () => {
    const log = pino({}, { write: () => assert.fail("logged") });
    const errors = createErrorReporter(randomIds, log, () => assert.fail("a fault"));
    for (const error of [notFound("vms/a"), fieldInvalid("a", "b")])
      assert.equal(errors.toMeridianError(error, "m"), error);
  });
});

describe("docs/errors.md", () => {
  it("lists every reason with its code, once, and no other", async () => {
    const page = await readFile(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| `([A-Z_]+)` \| (.+) \| (.+) \|$/gm)];
    assert.deepEqual(
      rows.map(([, reason, code]) => [reason, code]),
      Object.entries(errorReasons),
    );
  });
});

function statusOf({ metadata }: ReturnType<typeof toGrpcStatus>): ReturnType<typeof fromBinary<typeof StatusSchema>> {
  const [bytes] = metadata.get("grpc-status-details-bin");
  assert(bytes instanceof Uint8Array);
  return fromBinary(StatusSchema, bytes);
}
