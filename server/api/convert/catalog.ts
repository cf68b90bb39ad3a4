/** Catalogs: read from requests with every field checked, and written into answers without their credentials. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Catalog,
  type CatalogCredentials as CatalogCredentialsMessage,
  type CatalogManifest as CatalogManifestMessage,
  CatalogManifestSchema,
  CatalogSchema,
  type CatalogSpec as CatalogSpecMessage,
  type CatalogSpecSchema,
  type CatalogStatusSchema,
  TemplateStatus_State,
} from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import type { CatalogManifest, CatalogReading } from "../../pool/catalog.ts";
import { etagOf } from "../../pool/etag.ts";
import type { CatalogCredentials, CatalogRecord, CatalogSpec } from "../../pool/template.ts";
import type { FieldChecks } from "../field-checks.ts";
import { credentialLengthMax, descriptionLengthMax, urlLengthMax } from "../limits.ts";
import { nameOf } from "../resource-name.ts";
import { architectures } from "./enums.ts";
import { toTimestamp } from "./time.ts";
import { type Field, toCondition } from "./types.ts";

export function toCatalog(catalog: CatalogRecord): Catalog {
  return create(CatalogSchema, {
    name: nameOf("catalogs", catalog.id),
    uid: catalog.uid,
    spec: toCatalogSpec(catalog.spec),
    generation: BigInt(catalog.generation),
    createTime: toTimestamp(catalog.createTimeMs),
    updateTime: toTimestamp(catalog.updateTimeMs),
    etag: etagOf(catalog),
    status: toCatalogStatus(catalog.reading),
  });
}

function toCatalogStatus(reading: CatalogReading | undefined): MessageInitShape<typeof CatalogStatusSchema> {
  if (reading === undefined) return {};
  const { fault, sinceMs, manifests, leftOutCount } = reading;
  const { reason, message } = fault ?? { reason: "Read", message: "" };
  return {
    conditions: [toCondition({ type: "Reachable", holds: fault === undefined, reason, message, sinceMs })],
    manifests: manifests.map(toManifest),
    manifestsLeftOut: leftOutCount,
  };
}

export function toManifest(manifest: CatalogManifest): CatalogManifestMessage {
  const { catalogId, version, isLatest = false, state = "ACTIVE", by = "" } = manifest;
  return create(CatalogManifestSchema, {
    catalogId,
    version,
    architecture: architectures[manifest.architecture],
    latest: isLatest,
    state: TemplateStatus_State[state],
    changedBy: by,
    requiredRoles: [...manifest.requiredRoles],
    requiredClaims: [...manifest.requiredClaims],
  });
}

/** A catalog as a request describes it, with credentials that are not sealed yet. */
export interface GivenCatalogSpec extends Omit<CatalogSpec, "credentials"> {
  readonly credentials?: CatalogCredentials;
}

/** @param credentials with them it is what an update starts from, and must never leave the server. */
export function toCatalogSpec(
  spec: CatalogSpec,
  credentials?: CatalogCredentials,
): MessageInitShape<typeof CatalogSpecSchema> {
  return {
    url: spec.url,
    description: spec.description,
    hasCredentials: spec.credentials !== undefined,
    ...(credentials !== undefined && { credentials: { ...credentials } }),
  };
}

/** @param field such as `catalog.spec`; the faults found are in `checks`. */
export function readCatalogSpec(checks: FieldChecks, field: Field<CatalogSpecMessage>): GivenCatalogSpec {
  const { path, value: spec } = field;
  checkUrl(checks, { path: `${path}.url`, value: spec.url });
  const credentials = readCredentials(checks, { path: `${path}.credentials`, value: spec.credentials });
  return {
    url: spec.url,
    ...(credentials === undefined ? {} : { credentials }),
    description: checks.text(`${path}.description`, spec.description, {
      lengthMax: descriptionLengthMax,
      canBeEmpty: true,
      canHaveLines: true,
    }),
  };
}

function checkUrl(checks: FieldChecks, field: Field<string>): void {
  const { path, value } = field;
  checks.text(path, value, { lengthMax: urlLengthMax });
  if (value === "") return;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    checks.refuse(path, 'must be an address such as "https://catalog.example.com"');
  } else if (url.username !== "" || url.password !== "") {
    checks.refuse(path, "must not contain a user or a password; they belong into credentials");
  } else if (url.search !== "" || url.hash !== "" || /[;\s]/.test(value)) {
    checks.refuse(
      path,
      "must not have a query, a fragment, spaces or semicolons, which a connection string cannot carry",
    );
  }
}

function readCredentials(
  checks: FieldChecks,
  field: Field<CatalogCredentialsMessage | undefined>,
): CatalogCredentials | undefined {
  if (field.value === undefined) return undefined;
  const { path } = field;
  const { username, password, apiKey } = field.value;
  // Values of secrets never go into messages: only their names do.
  const bounds = { lengthMax: credentialLengthMax, canBeEmpty: true };
  checks.text(`${path}.username`, username, bounds);
  checks.text(`${path}.password`, password, bounds);
  checks.text(`${path}.api_key`, apiKey, bounds);
  if (/[:@;]/.test(username)) checks.refuse(`${path}.username`, 'must not contain ":", "@" or ";"');
  if (/[:;]/.test(password)) checks.refuse(`${path}.password`, 'must not contain ":" or ";"');
  if (/[:;@]/.test(apiKey)) checks.refuse(`${path}.api_key`, 'must not contain ":", ";" or "@"');
  if (apiKey === "" && (username === "" || password === "")) {
    checks.refuse(path, "must have a username and a password, or an API key");
  } else if (apiKey !== "" && (username !== "" || password !== "")) {
    checks.refuse(path, "must have either a username and a password, or an API key, not both");
  }
  return { username, password, apiKey };
}
