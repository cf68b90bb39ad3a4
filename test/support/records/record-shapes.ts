/**
 * The shapes of all records that are stored, held to their types by the compiler. Whoever changes a record changes its shape
 * here; `test/unit/server/engine/older-data.test.ts` then says what else is due. `docs/storage.md` has the rules.
 */
import type { recordKinds } from "../../../server/engine/records.ts";
import type { CredentialRecord, JoinTokenRecord } from "../../../server/pool/enrolment.ts";
import type { HistoryPage } from "../../../server/pool/history.ts";
import type { HostRecord } from "../../../server/pool/host.ts";
import type { IssuerRecord } from "../../../server/pool/issuer.ts";
import type { LifetimesRecord } from "../../../server/pool/lifetimes.ts";
import type { ProjectRecord } from "../../../server/pool/project.ts";
import type { StoredSecret } from "../../../server/pool/sealed.ts";
import type { ServiceAccountRecord, TokenRecord } from "../../../server/pool/service-account.ts";
import type { CatalogRecord, RequestRecord, TemplateRecord } from "../../../server/pool/template.ts";
import type { Shape, ShapeOf } from "./record-shape.ts";
import { settingsShape } from "./settings-shape.ts";
import { architectureShape, guestOsShape, readinessShape, resourcesShape, vmShape } from "./vm-shape.ts";

const hostShape: ShapeOf<HostRecord> = {
  id: "string",
  uid: "string",
  spec: {
    schedulable: "boolean",
    "drain?": {
      "deadlineMs?": "number",
      reason: "string",
      // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
      then: { words: { "stay-cordoned": 1, uncordon: 1 } },
    },
    labels: { map: "string" },
    reserved: resourcesShape,
    limits: {
      macosSlots: "number",
      parallelCreates: "number",
      cpuOvercommit: "number",
      memoryOvercommit: "number",
      diskOvercommit: "number",
    },
  },
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
  state: { words: { ENROLLED: 1, READY: 1, DISCONNECTED: 1, LOST: 1 } },
  stateSinceMs: "number",
  epoch: "number",
  "dial?": { series: "string", run: "number", dial: "number" },
  "facts?": {
    hardwareId: "string",
    architecture: architectureShape,
    chip: "string",
    macosVersion: "string",
    parallelsVersion: "string",
    serviceVersion: "string",
    licence: "string",
    agentVersion: "string",
    total: resourcesShape,
    reserved: resourcesShape,
    address: "string",
  },
  "drainStart?": { timeMs: "number", vmCount: "number" },
  agentLabels: { map: "string" },
  conditions: [{ type: "string", holds: "boolean", reason: "string", message: "string", sinceMs: "number" }],
  images: [{ catalogId: "string", version: "string", architecture: "string", sizeMib: "number" }],
  foreignVms: [
    {
      id: "string",
      name: "string",
      state: "string",
      os: "string",
      resources: resourcesShape,
      ipAddresses: ["string"],
      isMacos: "boolean",
      uptimeSeconds: "number",
    },
  ],
  orphans: [{ id: "string", name: "string", removeAtMs: "number", "commandId?": "string", retryCount: "number" }],
  "imagePurges?": [
    {
      catalogId: "string",
      version: "string",
      atMs: "number",
      "commandId?": "string",
      retryCount: "number",
      "failure?": { reason: "string", message: "string", timeMs: "number" },
      "isDone?": "boolean",
    },
  ],
  "prefetches?": [
    {
      template: "string",
      uid: "string",
      source: { kind: { words: { catalog: 1 } }, catalog: "string", catalogId: "string", version: "string" },
      architecture: architectureShape,
      atMs: "number",
      "commandId?": "string",
      "percent?": "number",
      retryCount: "number",
      "failure?": { reason: "string", message: "string", timeMs: "number" },
      "hasGivenUp?": "boolean",
    },
  ],
  removalCount: "number",
  "trouble?": {
    failures: [{ timeMs: "number", vm: "string", template: "string", reason: "string" }],
    penalties: "number",
    "quarantine?": {
      sinceMs: "number",
      phase: { words: { isolated: 1, probing: 1 } },
      untilMs: "number",
      round: "number",
      message: "string",
      "probe?": "string",
    },
    quarantineCount: "number",
    "last?": { endMs: "number", round: "number" },
  },
};

const templateShape: ShapeOf<TemplateRecord> = {
  id: "string",
  uid: "string",
  spec: {
    source: {
      kinds: {
        catalog: { catalog: "string", catalogId: "string", version: "string" },
        "host-vm": { vmName: "string" },
      },
    },
    guestOs: guestOsShape,
    architecture: architectureShape,
    resources: resourcesShape,
    readiness: readinessShape,
    description: "string",
    labels: { map: "string" },
    "access?": { projects: ["string"], roles: [{ words: { viewer: 1, user: 1, operator: 1, admin: 1 } }] },
  },
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
  "standing?": {
    state: { words: { TAINTED: 1, REVOKED: 1 } },
    reason: "string",
    by: "string",
    timeMs: "number",
    "stopsRunning?": "boolean",
    "purges?": { catalogId: "string", version: "string" },
  },
  "trouble?": { failures: [{ host: "string", timeMs: "number" }], madeOn: ["string"] },
};

const storedSecretShape: ShapeOf<StoredSecret> = {
  kinds: { sealed: { text: "string" }, plain: { text: "string" } },
};

const catalogShape: ShapeOf<CatalogRecord> = {
  id: "string",
  uid: "string",
  spec: {
    url: "string",
    "credentials?": storedSecretShape,
    description: "string",
  },
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
  "reading?": {
    manifests: [
      {
        catalogId: "string",
        version: "string",
        architecture: architectureShape,
        "isLatest?": "boolean",
        "state?": { words: { TAINTED: 1, REVOKED: 1 } },
        "by?": "string",
        requiredRoles: ["string"],
        requiredClaims: ["string"],
      },
    ],
    leftOutCount: "number",
    "fault?": { reason: "string", message: "string" },
    sinceMs: "number",
  },
};

const projectShape: ShapeOf<ProjectRecord> = {
  id: "string",
  uid: "string",
  spec: {
    displayName: "string",
    weight: "number",
    quota: {
      "vms?": "number",
      "cpuCount?": "number",
      "memoryMib?": "number",
      "diskMib?": "number",
      "macosSlots?": "number",
    },
    labels: { map: "string" },
  },
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

const joinTokenShape: ShapeOf<JoinTokenRecord> = {
  id: "string",
  uid: "string",
  secretHash: "string",
  spec: {
    maxUses: "number",
    expireTimeMs: "number",
    hostPattern: "string",
    labels: { map: "string" },
    description: "string",
  },
  useCount: "number",
  "lastUseTimeMs?": "number",
  "revokeTimeMs?": "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

const credentialShape: ShapeOf<CredentialRecord> = {
  id: "string",
  "revokedTimeMs?": "number",
  certificates: [
    {
      serial: "string",
      fingerprint: "string",
      keyFingerprint: "string",
      caFingerprint: "string",
      issueTimeMs: "number",
      expireTimeMs: "number",
      "joinToken?": "string",
    },
  ],
  endTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

const requestShape: ShapeOf<RequestRecord> = {
  id: "string",
  fingerprint: "string",
  resourceId: "string",
  resourceUid: "string",
  "batch?": ["string"],
  createTimeMs: "number",
};

const historyShape: ShapeOf<HistoryPage> = {
  id: "string",
  revision: "number",
  entries: [
    {
      kind: { words: { lifecycle: 1, audit: 1 } },
      action: "string",
      resource: "string",
      "resourceUid?": "string",
      timeMs: "number",
      "project?": "string",
      "host?": "string",
      "from?": "string",
      "to?": "string",
      "reason?": "string",
      "message?": "string",
      "caller?": { principal: "string", authentication: "string", address: "string" },
      "code?": "string",
      "fields?": ["string"],
      "count?": "number",
    },
  ],
};

const serviceAccountShape: ShapeOf<ServiceAccountRecord> = {
  id: "string",
  uid: "string",
  spec: {
    description: "string",
    bindings: [{ role: { words: { viewer: 1, user: 1, operator: 1, admin: 1 } }, "project?": "string" }],
    isDisabled: "boolean",
  },
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

const issuerShape: ShapeOf<IssuerRecord> = {
  id: "string",
  uid: "string",
  spec: {
    description: "string",
    url: "string",
    audiences: ["string"],
    rules: [
      {
        condition: "string",
        binding: { role: { words: { viewer: 1, user: 1, operator: 1, admin: 1 } }, "project?": "string" },
      },
    ],
    isDisabled: "boolean",
  },
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

const tokenShape: ShapeOf<TokenRecord> = {
  id: "string",
  uid: "string",
  account: "string",
  digest: "string",
  description: "string",
  expireTimeMs: "number",
  "isExpired?": "boolean",
  "lastUseTimeMs?": "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

const lifetimesShape: ShapeOf<LifetimesRecord> = {
  id: "string",
  counts: { map: "number" },
  total: "number",
  updateTimeMs: "number",
};

export const recordShapes: { readonly [Kind in keyof typeof recordKinds]: Shape } = {
  host: hostShape,
  vm: vmShape,
  template: templateShape,
  catalog: catalogShape,
  project: projectShape,
  "join-token": joinTokenShape,
  credential: credentialShape,
  "service-account": serviceAccountShape,
  token: tokenShape,
  issuer: issuerShape,
  history: historyShape,
  request: requestShape,
  lifetimes: lifetimesShape,
  settings: settingsShape,
};
