import assert from "node:assert/strict";
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import {
  CatalogService,
  type CreateCatalogRequestSchema,
} from "../../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import type { HostDrain_Then, HostSpecSchema } from "../../../../shared/gen/es/meridian/v1/host_pb.ts";
import { HostService } from "../../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import type { CatalogSpecSchema, TemplateSpecSchema } from "../../../../shared/gen/es/meridian/v1/template_pb.ts";
import { TemplateService } from "../../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import {
  Architecture,
  GuestOs,
  LabelExpression_Operator as Operator,
} from "../../../../shared/gen/es/meridian/v1/types_pb.ts";
import {
  type VmPlacement_Strategy,
  VmSpec_Wanted,
  type VmSpecSchema,
} from "../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { refused, ServedApi } from "../../../support/server/served-api.ts";

/** What a test gives of a spec: an initialiser, never a whole message. */
type Init<S extends DescMessage> = Exclude<MessageInitShape<S>, Message>;

type Bad<T> = readonly (readonly [field: string, spec: T])[];

const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));
const expression = (fields: object): Init<typeof VmSpecSchema> => ({
  placement: { required: [{ key: "team", operator: Operator.EXISTS, values: [], ...fields }] },
});
const unknown = 99;

const badVms: Bad<Init<typeof VmSpecSchema>> = [
  ["template", { template: "" }],
  ["template", { template: "linux" }],
  ["template", { template: "templates/Linux" }],
  ["template", { template: "templates/linux/versions/" }],
  ["template", { template: "templates/linux/versions/a b" }],
  ["template", { template: "hosts/linux" }],
  ["source_vm", { sourceVm: "vms/a" }],
  ["project", { project: "Upper" }],
  ["project", { project: "x".repeat(64) }],
  ["resources.cpu_count", { resources: { cpuCount: 129 } }],
  ["resources.memory_mib", { resources: { memoryMib: 511 } }],
  ["resources.memory_mib", { resources: { memoryMib: 4_194_305 } }],
  ["resources.disk_mib", { resources: { diskMib: 1023 } }],
  ["resources.disk_mib", { resources: { diskMib: 4_294_967_295 } }],
  ["placement.architecture", { placement: { architecture: unknown as Architecture } }],
  ["lease_duration", { leaseDuration: { seconds: 9n } }],
  ["lease_duration", { leaseDuration: { seconds: 2_592_001n } }],
  ["max_lifetime", { maxLifetime: { seconds: 9n } }],
  ["max_lifetime", { maxLifetime: { seconds: 31_536_001n } }],
  ["placement.host", { placement: { host: "mac-1" } }],
  ["placement.host", { placement: { host: "hosts/MAC" } }],
  ["placement.strategy", { placement: { strategy: unknown as VmPlacement_Strategy } }],
  ["placement.spread_key", { placement: { spreadKey: "a b" } }],
  ["placement.required[0].key", expression({ key: "" })],
  ["placement.required[0].operator", expression({ operator: Operator.UNSPECIFIED })],
  ["placement.required[0].operator", expression({ operator: unknown })],
  ["placement.required[0].values", expression({ values: ["x"] })],
  ["placement.required[0].values", expression({ operator: Operator.IN })],
  ["placement.required[0].values", expression({ operator: Operator.GT, values: ["ten"] })],
  ["placement.required[0].values", expression({ operator: Operator.LT, values: ["1", "2"] })],
  [
    "placement.required[0].values",
    expression({ operator: Operator.IN, values: Array.from({ length: 65 }, () => "x") }),
  ],
  [
    "placement.preferred",
    { placement: { preferred: Array.from({ length: 33 }, () => ({ key: "a", operator: Operator.EXISTS })) } },
  ],
  ["priority", { priority: 101 }],
  ["wanted", { wanted: VmSpec_Wanted.DELETED }],
  ["wanted", { wanted: unknown as VmSpec_Wanted }],
  ["pending_timeout", { pendingTimeout: {} }],
  ["pending_timeout", { pendingTimeout: { seconds: -5n } }],
  ["pending_timeout", { pendingTimeout: { seconds: 2_592_001n } }],
  ["pending_timeout", { pendingTimeout: { seconds: 9_223_372_036_854_775_807n } }],
  ["pending_timeout", { pendingTimeout: { seconds: 5n, nanos: 2_000_000_000 } }],
  ["readiness.guest_tools", { readiness: { probe: { case: "guestTools", value: false } } }],
  ["readiness.exec", { readiness: { probe: { case: "exec", value: "" } } }],
  ["readiness.exec", { readiness: { probe: { case: "exec", value: "x".repeat(1025) } } }],
  ["readiness.tcp_port", { readiness: { probe: { case: "tcpPort", value: 0 } } }],
  ["readiness.tcp_port", { readiness: { probe: { case: "tcpPort", value: 65_536 } } }],
  ["readiness.period_ms", { readiness: { periodMs: 49 } }],
  ["readiness.period_ms", { readiness: { periodMs: 60_001 } }],
  ["readiness.timeout_seconds", { readiness: { timeoutSeconds: 3601 } }],
  ["labels", { labels: many(65) }],
  ["labels.", { labels: { "": "x" } }],
  ["labels.a b", { labels: { "a b": "x" } }],
  ["labels", { labels: { "a\nb": "x" } }],
  ["labels.__proto__", { labels: Object.fromEntries([["__proto__", "x"]]) }],
  ["labels.a", { labels: { a: "x".repeat(129) } }],
  ["labels.a", { labels: { a: "x\u0007" } }],
  ["annotations", { annotations: many(65) }],
  ["annotations.a", { annotations: { a: "x".repeat(4097) } }],
  ["annotations.a", { annotations: { a: "\u0000" } }],
  ["annotations", { annotations: Object.fromEntries(Object.keys(many(10)).map((key) => [key, "x".repeat(4000)])) }],
];

const goodTemplate: Init<typeof TemplateSpecSchema> = {
  source: { case: "hostVm", value: { vmName: "golden" } },
  guestOs: GuestOs.MACOS,
  architecture: Architecture.ARM64,
  resources: { cpuCount: 1, memoryMib: 512, diskMib: 1024 },
};
const catalogSource = (fields: object): Init<typeof TemplateSpecSchema> => ({
  source: { case: "catalog", value: { catalog: "catalogs/c", catalogId: "M", version: "1", ...fields } },
});

const badTemplates: Bad<Init<typeof TemplateSpecSchema>> = [
  ["source", { source: { case: undefined } }],
  ["host_vm.vm_name", { source: { case: "hostVm", value: { vmName: "" } } }],
  ["host_vm.vm_name", { source: { case: "hostVm", value: { vmName: "x".repeat(129) } } }],
  ["catalog.catalog", catalogSource({ catalog: "c" })],
  ["catalog.catalog_id", catalogSource({ catalogId: "" })],
  ["catalog.catalog_id", catalogSource({ catalogId: "a/b" })],
  ["catalog.version", catalogSource({ version: "a b" })],
  ["guest_os", { guestOs: GuestOs.UNSPECIFIED }],
  ["guest_os", { guestOs: unknown as GuestOs }],
  ["architecture", { architecture: Architecture.UNSPECIFIED }],
  ["resources.cpu_count", { resources: { cpuCount: 0, memoryMib: 512, diskMib: 1024 } }],
  ["resources.memory_mib", { resources: { cpuCount: 1, diskMib: 1024 } }],
  ["resources.disk_mib", { resources: { cpuCount: 1, memoryMib: 512 } }],
  ["description", { description: "x".repeat(1025) }],
  ["labels.-", { labels: { "-": "x" } }],
];

const badCatalogs: Bad<Init<typeof CatalogSpecSchema>> = [
  ["url", { url: "" }],
  ["url", { url: "catalog.example.com" }],
  ["url", { url: "ftp://example.com" }],
  ["url", { url: "https://user:secret@example.com" }],
  ["url", { url: "https://example.com/?a=b" }],
  ["url", { url: "https://example.com/a;b" }],
  ["url", { url: `https://example.com/${"x".repeat(2048)}` }],
  ["credentials", { credentials: {} }],
  ["credentials", { credentials: { username: "u" } }],
  ["credentials", { credentials: { username: "u", password: "p", apiKey: "k" } }],
  ["credentials.username", { credentials: { username: "a@b", password: "p" } }],
  ["credentials.username", { credentials: { username: "a:b", password: "p" } }],
  ["credentials.password", { credentials: { username: "u", password: "a;b" } }],
  ["credentials.password", { credentials: { username: "u", password: "a:b" } }],
  ["credentials.api_key", { credentials: { apiKey: "a@b" } }],
  ["credentials.api_key", { credentials: { apiKey: "k".repeat(513) } }],
  ["description", { description: "\u001b[2J" }],
];

const badHosts: Bad<Init<typeof HostSpecSchema>> = [
  ["reserved.cpu_count", { reserved: { cpuCount: 129 } }],
  ["reserved.memory_mib", { reserved: { memoryMib: 4_194_305 } }],
  ["limits.macos_slots", { limits: { macosSlots: 17 } }],
  ["limits.parallel_creates", { limits: { parallelCreates: 0 } }],
  ["limits.parallel_creates", { limits: { parallelCreates: 33 } }],
  ["limits.cpu_overcommit", { limits: { cpuOvercommit: 0.05 } }],
  ["limits.cpu_overcommit", { limits: { cpuOvercommit: Number.NaN } }],
  ["limits.memory_overcommit", { limits: { memoryOvercommit: 4.5 } }],
  ["limits.disk_overcommit", { limits: { diskOvercommit: Number.POSITIVE_INFINITY } }],
  ["drain.reason", { drain: { reason: "x".repeat(1025) } }],
  // oxlint-disable-next-line unicorn/no-thenable -- the protocol's word for what comes then; no function.
  ["drain.then", { drain: { then: unknown as HostDrain_Then } }],
  ["drain.deadline", { drain: { deadline: { seconds: 99_999_999_999n } } }],
  ["labels", { labels: many(65) }],
];

describe("fields out of their bounds", () => {
  let api: ServedApi;
  before(async () => {
    api = await ServedApi.open();
    await api.driver.addHost("mac-1");
  });
  after(() => api.close());

  /** Nothing was made or changed, and nothing broke. */
  const revision = (): number => api.driver.view().revision;

  const check = async (field: string, call: Promise<unknown>, before: number): Promise<void> => {
    const refusal = await refused(call, "FIELD_INVALID");
    assert.deepEqual(refusal.fields, [field]);
    assert.equal(refusal.metadata["field"], field);
    assert.equal(revision(), before);
    assert.deepEqual(api.faults, []);
  };

  for (const [field, spec] of badVms) {
    it(`of a VM are refused: ${field} ${JSON.stringify(spec, big).slice(0, 60)}`, async () => {
      const full = { template: "templates/linux", ...spec };
      const client = api.client(VmService);
      await check(`vm.spec.${field}`, client.createVm({ vm: { spec: full } }), revision());
      await check(`spec.${field}`, client.planVm({ spec: full }), revision());
    });
  }

  for (const [field, spec] of badTemplates) {
    it(`of a template are refused: ${field} ${JSON.stringify(spec, big).slice(0, 60)}`, async () => {
      const template = { spec: { ...goodTemplate, ...spec } };
      const call = api.client(TemplateService).createTemplate({ template });
      await check(`template.spec.${field}`, call, revision());
    });
  }

  for (const [field, spec] of badCatalogs) {
    it(`of a catalog are refused: ${field} ${JSON.stringify(spec, big).slice(0, 60)}`, async () => {
      const request: MessageInitShape<typeof CreateCatalogRequestSchema> = {
        catalog: { spec: { url: "https://catalog.example.com", ...spec } },
      };
      await check(`catalog.spec.${field}`, api.client(CatalogService).createCatalog(request), revision());
    });
  }

  for (const [field, spec] of badHosts) {
    it(`of a host are refused: ${field} ${JSON.stringify(spec, big).slice(0, 60)}`, async () => {
      const call = api.client(HostService).updateHost({ host: { name: "hosts/mac-1", spec } });
      await check(`host.spec.${field}`, call, revision());
    });
  }

  it("are all told at once", async () => {
    const spec = { template: "x", priority: 200, labels: { "": "" } };
    const refusal = await refused(api.client(VmService).createVm({ vm: { spec } }), "FIELD_INVALID");
    assert.deepEqual(refusal.fields, ["vm.spec.template", "vm.spec.priority", "vm.spec.labels."]);
  });

  it("are told within the bounds of headers, however many there are", async () => {
    const labels = Object.fromEntries(
      Array.from({ length: 64 }, (_, i) => [`${"bad key ".repeat(12)}${i}`, "é".repeat(200)]),
    );
    const refusal = await refused(
      api.client(VmService).createVm({ vm: { spec: { template: "x", labels } } }),
      "FIELD_INVALID",
    );
    assert.equal(refusal.fields.length, 16);
  });

  for (const [field, call] of [
    ["vm.spec", () => api.client(VmService).createVm({})],
    ["spec", () => api.client(VmService).planVm({})],
    ["vm_id", () => api.client(VmService).createVm({ vmId: "A", vm: { spec: { template: "templates/linux" } } })],
    [
      "vm_id",
      () => api.client(VmService).createVm({ vmId: "x".repeat(64), vm: { spec: { template: "templates/linux" } } }),
    ],
    ["request_id", () => api.client(VmService).createVm({ requestId: "x".repeat(129) })],
    ["request_id", () => api.client(VmService).createVm({ requestId: "a\nb" })],
    ["name", () => api.client(VmService).getVm({ name: "" })],
    ["name", () => api.client(VmService).getVm({ name: "vms/../hosts" })],
    ["name", () => api.client(HostService).getHost({ name: "vms/a" })],
    ["vm.name", () => api.client(VmService).updateVm({})],
    ["page_size", () => api.client(VmService).listVms({ pageSize: -1 })],
    ["page_size", () => api.client(VmService).listVms({ pageSize: 1001 })],
    ["template.spec", () => api.client(TemplateService).createTemplate({})],
    ["template_id", () => api.client(TemplateService).createTemplate({ templateId: "-" })],
    ["catalog.spec", () => api.client(CatalogService).createCatalog({})],
    ["catalog_id", () => api.client(CatalogService).createCatalog({ catalogId: "1" })],
    ["deadline", () => api.client(HostService).drainHost({ name: "hosts/mac-1", deadline: { seconds: -1n } })],
    // oxlint-disable-next-line unicorn/no-thenable -- the protocol's word for what comes then; no function.
    ["then", () => api.client(HostService).drainHost({ name: "hosts/mac-1", then: unknown as HostDrain_Then })],
    ["reason", () => api.client(HostService).drainHost({ name: "hosts/mac-1", reason: "a\nb" })],
    ["host_vm", () => api.client(HostService).controlHostVm({ name: "hosts/mac-1", action: 1 })],
    ["action", () => api.client(HostService).controlHostVm({ name: "hosts/mac-1", hostVm: "x" })],
    [
      "timeout",
      () =>
        api
          .client(HostService)
          .controlHostVm({ name: "hosts/mac-1", hostVm: "x", action: 1, timeout: { seconds: 3601n } }),
    ],
  ] as const) {
    it(`of other requests are refused: ${field}`, () => check(field, call(), revision()));
  }
});

function big(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
