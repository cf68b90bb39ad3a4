/** What the local Parallels API of a Mac answers and tells, and what a catalog answers: JSON that others wrote. */
import { ParallelsError } from "../../../agent/parallels/api.ts";
import { parseBaseUrl } from "../../../agent/parallels/base-url.ts";
import { buildConnectionString } from "../../../agent/parallels/connection-string.ts";
import { parseJson } from "../../../agent/parallels/decoders.ts";
import { judgeAnswer, readRefusal } from "../../../agent/parallels/error-judgement.ts";
import { decodeEvent } from "../../../agent/parallels/event-decoder.ts";
import {
  decodeCache,
  decodeFreeDiskMib,
  decodeHardware,
  decodeHomeDiskSpace,
  decodeLicence,
} from "../../../agent/parallels/host-decoders.ts";
import { decodeJob } from "../../../agent/parallels/job-decoder.ts";
import { parseGoDurationMs, parseSizeMib } from "../../../agent/parallels/quantities.ts";
import { SecretWasher } from "../../../agent/parallels/secrets.ts";
import { decodeVms } from "../../../agent/parallels/vm-decoder.ts";
import { labCatalog } from "../../../cli/lab/lab-images.ts";
import { decodeManifests } from "../../../server/catalogs/manifest-decoder.ts";
import { startSimulatedMac } from "../../../simulator/simulated-mac.ts";
import { bytesOf, decoder, expect, refusedBy, type Target, type TargetMaker, textOf } from "../target.ts";

const isDeclared = (error: unknown): boolean => error instanceof ParallelsError;

/** What a simulated Mac answers on a path, which is as the real service does it. */
async function answerOf(path: string): Promise<string> {
  const mac = await startSimulatedMac({
    instant: true,
    catalog: labCatalog,
    vms: [
      { name: "golden", os: "ubuntu" },
      { name: "running", state: "running" },
      { name: "suspended", state: "suspended" },
    ],
  });
  try {
    const answer = await fetch(`${mac.url}/api/v1${path}`, { headers: { "X-Api-Key": mac.apiKey } });
    expect(answer.ok, `${path} is answered with ${answer.status}`);
    return await answer.text();
  } finally {
    await mac.close();
  }
}

/** A decoder of parsed JSON. */
function jsonTarget(name: string, samples: readonly string[], decode: (value: unknown) => unknown): Target {
  return {
    name,
    samples: bytesOf(...samples),
    judge: (input) => {
      const parsed = parseJson(textOf(input));
      return parsed === undefined ? "refused" : refusedBy(isDeclared, () => decode(parsed.value));
    },
  };
}

function answerTarget(name: string, path: string, decode: (value: unknown) => unknown): TargetMaker {
  return { name, open: async () => jsonTarget(name, [await answerOf(path)], decode) };
}

const diskSpace = decoder(
  jsonTarget(
    "local-disk-space",
    ['{"parallels_home_size":"538000 MB"}', '{"parallels_home_size":538000}'],
    decodeFreeDiskMib,
  ),
);

const job = {
  id: "meridian-x-1",
  owner: "ci",
  state: "running",
  progress: 37,
  action: "create_machine",
  current_step: "Downloading",
  message: "Pulling",
  error: "",
  result: "",
  created_at: "2026-01-01T00:00:00Z",
  steps: [{ name: "download", state: "running", progress: 37, estimated_time_remaining: "4m10s" }],
};
const washer = new SecretWasher();
washer.add("a secret of some length");

const jobs = decoder(
  jsonTarget(
    "local-job",
    [JSON.stringify(job), JSON.stringify({ ...job, state: "failed", error: "no space left on device" })],
    (value) => decodeJob(value, washer),
  ),
);

const vm = {
  ID: "{0123}",
  Name: "build",
  State: "running",
  OS: "macosx",
  Hardware: { cpu: { cpus: 4 }, memory: { size: "8192Mb" } },
};
const events = decoder({
  name: "local-event",
  samples: bytesOf(
    ...[
      {
        event_type: "pdfm",
        message: "VM_STATE_CHANGED",
        body: { vm_id: "{0123}", previous_state: "stopped", current_state: "running" },
      },
      { event_type: "pdfm", message: "VM_ADDED", body: { vm_id: "{0123}", new_vm: vm } },
      { event_type: "pdfm", message: "VM_REMOVED", body: { vm_id: "{0123}" } },
      { event_type: "job_manager", message: "JOB_UPDATED", body: job },
      { event_type: "catalog_cache", message: "CACHE_ITEM_ADDED", body: {} },
      { event_type: "health", message: "pong" },
    ].map((event) => JSON.stringify(event)),
  ),
  judge: (input) => (decodeEvent(textOf(input), washer) === undefined ? "refused" : "decoded"),
});

const refusals = decoder({
  name: "local-refusal",
  samples: bytesOf(
    '{"message":"resource /api/v1/machines/x/start not found","code":404}',
    '{"message":"error 404: Virtual machine not found","code":404}',
    "<html>502</html>",
  ),
  judge(input) {
    const text = textOf(input);
    readRefusal(text);
    const error = judgeAnswer({ status: 404, text }, { method: "GET", path: "/machines" });
    expect(error instanceof ParallelsError, "a refusal became no error");
    return "decoded";
  },
});

const quantities = decoder({
  name: "local-quantity",
  samples: bytesOf('"8192Mb"', '"538000 MB"', "65536", '"1h2m3.5s"', '"350ms"', '{"a":"8 GB"}'),
  words: ["Mb", "Gb", " ", ".", "h", "ms", "1"],
  judge(input) {
    const parsed = parseJson(textOf(input));
    const value = parsed === undefined ? textOf(input) : parsed.value;
    for (const amount of [parseSizeMib(value), parseGoDurationMs(textOf(input))]) {
      expect(amount >= 0 && !Number.isNaN(amount), `${amount} is no amount`);
    }
    return "decoded";
  },
});

const addresses = decoder({
  name: "local-address",
  samples: bytesOf("http://127.0.0.1:3080", "https://mac.example.com/api/v1/", "http://[::1]:3080/prefix"),
  words: ["@", "?", "#", "//", "%00", ";", "password="],
  judge: (input) =>
    refusedBy(isDeclared, () => {
      parseBaseUrl(textOf(input));
      const text = buildConnectionString({ url: textOf(input), username: "ci", password: "secret" });
      expect(text.split(";").length === 3, "a connection string has other parts than it was made of");
    }),
});

const manifest = {
  catalog_id: "macos-26",
  version: "v2",
  architecture: "arm64",
  tags: ["latest"],
  revoked: true,
  revoked_by: "kim",
  required_roles: ["USER"],
  required_claims: [],
  provider: { type: "aws-s3", password: "secret" },
};
const manifests = decoder({
  name: "catalog-answer",
  samples: bytesOf(JSON.stringify([{ "MACOS-26": [manifest, { ...manifest, version: "v1" }] }]), "[]", "null"),
  judge(input) {
    const parsed = parseJson(textOf(input));
    const read = decodeManifests(parsed?.value);
    expect(!JSON.stringify(read ?? []).includes("aws-s3"), "a provider was taken over");
    return read === undefined ? "refused" : "decoded";
  },
});

export const localApiTargets: readonly TargetMaker[] = [
  answerTarget("local-vms", "/machines", decodeVms),
  answerTarget("local-hardware", "/config/hardware", (value) => [decodeHardware(value), decodeHomeDiskSpace(value)]),
  diskSpace,
  answerTarget("local-licence", "/config/parallels-desktop/license", decodeLicence),
  answerTarget("local-cache", "/cache", decodeCache),
  jobs,
  events,
  refusals,
  quantities,
  addresses,
  manifests,
];
