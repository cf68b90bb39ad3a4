/** What clients write into requests as text: filters, orders, page tokens, masks, names. */
import { create, type Message } from "@bufbuild/protobuf";
import { FieldMaskSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { compileFilter } from "../../../server/api/filter/filter.ts";
import { compileOrder } from "../../../server/api/list/order.ts";
import { decodePageToken, encodePageToken } from "../../../server/api/list/page-token.ts";
import { idOfName } from "../../../server/api/resource-name.ts";
import { applyUpdateMask } from "../../../server/api/update-mask.ts";
import { MeridianError } from "../../../shared/errors.ts";
import { HostSchema } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import { VmSchema, VmSpecSchema, VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { bytesOf, decoder, expect, refusedBy, type TargetMaker, textOf } from "../target.ts";

const isDeclared = (error: unknown): boolean => error instanceof MeridianError;

const vm = create(VmSchema, {
  name: "vms/build-1",
  uid: "0123456789abcdef0123456789abcdef",
  createTime: timestampFromMs(1_700_000_000_000),
  spec: { template: "templates/macos-26", labels: { team: "ios", branch: "main" }, priority: 50 },
  status: { state: VmStatus_State.RUNNING, host: "hosts/mac-1", ipAddresses: ["10.0.0.7"], message: "runs" },
});
const host = create(HostSchema, { name: "hosts/mac-1", spec: { labels: { rack: "7" } }, status: { placeable: true } });
const resources: readonly { readonly schema: typeof VmSchema | typeof HostSchema; readonly resource: Message }[] = [
  { schema: VmSchema, resource: vm },
  { schema: HostSchema, resource: host },
];

const filters = decoder({
  name: "filter",
  samples: bytesOf(
    "",
    "status.state = RUNNING AND spec.labels.team = ios",
    'NOT status.state = DELETED OR (name:"build" -spec.priority < 10)',
    'create_time > "2026-01-01T00:00:00Z" AND spec.lease_duration >= 90s',
    "spec.labels:team AND status.ip_addresses:10.0.0.7",
    'spec.template = "templates/macos-*"',
    "status.placeable = true",
  ),
  words: ["AND", "OR", "NOT ", "-", "(", ")", ":", "!=", ">=", "*", '"', "\\", "spec.labels.", "status.", "1e9", "90s"],
  judge: (input) =>
    refusedBy(isDeclared, () => {
      for (const { schema, resource } of resources) compileFilter(schema, textOf(input))?.(resource);
    }),
});

const orders = decoder({
  name: "order",
  samples: bytesOf("", "name", "create_time desc, name", "status.state,spec.priority desc", "status.host"),
  words: [",", " desc", " asc", "spec.", "status.", ".", '"'],
  judge: (input) =>
    refusedBy(isDeclared, () => {
      for (const { schema, resource } of resources) {
        const order = compileOrder(schema, textOf(input));
        const keys = order?.keysOf(resource) ?? [];
        expect((order?.compare(keys, keys) ?? 0) === 0, "a resource sorts before itself");
      }
    }),
});

const parameters = { collection: "vms", filter: "status.state = RUNNING", orderBy: "create_time" };
const pageTokens = decoder({
  name: "page-token",
  samples: bytesOf(
    encodePageToken({ id: "build-1", keys: [1_700_000_000_000, "x", null] }, parameters),
    encodePageToken({ id: "build-2", keys: [] }, parameters),
  ),
  judge: (input) =>
    refusedBy(isDeclared, () => {
      const position = decodePageToken(textOf(input), parameters);
      if (position === undefined) return;
      expect(typeof position.id === "string" && Array.isArray(position.keys), "no position");
      const again = decodePageToken(encodePageToken(position, parameters), parameters);
      expect(
        JSON.stringify(again) === JSON.stringify(position),
        "a page token says another thing when it is written again",
      );
    }),
});

const names = decoder({
  name: "resource-name",
  samples: bytesOf("vms/build-1", "hosts/mac-1.example.com", "templates/macos-26", "vms/", "hosts/a/b"),
  judge: (input) =>
    refusedBy(isDeclared, () => idOfName(textOf(input).startsWith("hosts/") ? "hosts" : "vms", textOf(input))),
});

const masks = decoder({
  name: "update-mask",
  samples: bytesOf("spec.priority", "spec.labels,spec.priority", "spec.labels.team", "*", "spec", "status.state"),
  words: [",", ".", "*", "spec", "labels", "`", "name"],
  judge: (input) =>
    refusedBy(isDeclared, () => {
      const spec = vm.spec;
      const mask = create(FieldMaskSchema, { paths: textOf(input).split(",") });
      if (spec !== undefined)
        applyUpdateMask({ path: "vm.spec", schema: VmSpecSchema, current: spec, wanted: spec, mask });
    }),
});

export const apiTextTargets: readonly TargetMaker[] = [filters, orders, pageTokens, names, masks];
