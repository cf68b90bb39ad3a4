/** The shape of a VM's record; see `record-shape.ts`. */
import type { LabelExpression } from "../../../server/pool/labels.ts";
import type {
  Architecture,
  GuestOs,
  Readiness,
  Resources,
  Suspect,
  VmRecord,
  VmState,
} from "../../../server/pool/vm.ts";
import type { ShapeOf } from "./record-shape.ts";

export const resourcesShape: ShapeOf<Resources> = { cpuCount: "number", memoryMib: "number", diskMib: "number" };
export const architectureShape: ShapeOf<Architecture> = { words: { arm64: 1, x86_64: 1 } };
export const guestOsShape: ShapeOf<GuestOs> = { words: { macos: 1, linux: 1, windows: 1 } };

export const readinessShape: ShapeOf<Readiness> = {
  probe: { kinds: { none: {}, "guest-tools": {}, exec: { command: "string" }, "tcp-port": { port: "number" } } },
  periodMs: "number",
  timeoutMs: "number",
};

const labelExpressionShape: ShapeOf<LabelExpression> = {
  key: "string",
  operator: { words: { in: 1, "not-in": 1, exists: 1, "does-not-exist": 1, gt: 1, lt: 1 } },
  values: ["string"],
};

const suspectShape: ShapeOf<Suspect> = {
  words: { none: 1, host: 1, template: 1, network: 1, request: 1, server: 1 },
};

const stateShape: ShapeOf<VmState> = {
  words: {
    PENDING: 1,
    PLACED: 1,
    CREATING: 1,
    STARTING: 1,
    RUNNING: 1,
    STOPPING: 1,
    STOPPED: 1,
    SUSPENDING: 1,
    SUSPENDED: 1,
    PAUSING: 1,
    PAUSED: 1,
    RESUMING: 1,
    UNKNOWN: 1,
    FAILED: 1,
    DELETING: 1,
    DELETED: 1,
  },
};

const specShape: ShapeOf<VmRecord["spec"]> = {
  project: "string",
  template: "string",
  "templateVersion?": "string",
  "sourceVm?": "string",
  resources: resourcesShape,
  placement: {
    "architecture?": architectureShape,
    "host?": "string",
    required: [labelExpressionShape],
    preferred: [labelExpressionShape],
    "spreadKey?": "string",
    "strategy?": { words: { pack: 1, spread: 1 } },
  },
  priority: "number",
  wanted: { words: { running: 1, stopped: 1, suspended: 1, paused: 1, deleted: 1 } },
  pendingTimeoutMs: "number",
  "leaseDurationMs?": "number",
  "maxLifetimeMs?": "number",
  "onHostLost?": { words: { fail: 1, replace: 1 } },
  "retryAttempts?": "number",
  "preemptible?": "boolean",
  "readiness?": readinessShape,
  labels: { map: "string" },
  annotations: { map: "string" },
};

const imageShape: ShapeOf<VmRecord["image"]> = {
  source: {
    kinds: {
      catalog: { catalog: "string", catalogId: "string", version: "string" },
      "host-vm": { vmName: "string" },
      clone: { vm: "string", uid: "string", host: "string" },
      adopted: { name: "string" },
    },
  },
  guestOs: guestOsShape,
  architecture: architectureShape,
  resources: resourcesShape,
  readiness: readinessShape,
};

const commandShape: ShapeOf<VmRecord["command"]> = {
  id: "string",
  kind: {
    words: { create: 1, start: 1, stop: 1, suspend: 1, resume: 1, pause: 1, restart: 1, reset: 1, delete: 1 },
  },
  state: { words: { SENT: 1, ACCEPTED: 1, RUNNING: 1, SUCCEEDED: 1, FAILED: 1, REFUSED: 1 } },
  force: "boolean",
  generation: "number",
  "resendCount?": "number",
};

export const vmShape: ShapeOf<VmRecord> = {
  id: "string",
  uid: "string",
  spec: specShape,
  "owner?": "string",
  generation: "number",
  observedGeneration: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
  image: imageShape,
  resources: resourcesShape,
  state: stateShape,
  stateSinceMs: "number",
  message: "string",
  "host?": "string",
  attempt: "number",
  commandCount: "number",
  "command?": commandShape,
  "pendingAction?": { words: { restart: 1, reset: 1 } },
  force: "boolean",
  "sight?": { id: "string", name: "string", state: "string", ipAddresses: ["string"] },
  "mayHaveRemains?": "boolean",
  "progress?": { step: "string", percent: "number", etaMs: "number", message: "string" },
  "failure?": { reason: "string", message: "string", suspect: suspectShape, "host?": "string", timeMs: "number" },
  retryCount: "number",
  "retriesUsed?": "number",
  "retryAtMs?": "number",
  "deadlineMs?": "number",
  "leaseEndMs?": "number",
  "reservation?": { host: "string", sinceMs: "number", "noticeEndMs?": "number" },
  "taint?": "string",
  "notice?": { vm: "string", uid: "string", sinceMs: "number", endMs: "number", "isOver?": "boolean" },
  "endReason?": { words: { LeaseExpired: 1, LifetimeOver: 1, TemplateRevoked: 1, Preempted: 1 } },
  timeline: [{ state: stateShape, timeMs: "number", reason: "string" }],
};
