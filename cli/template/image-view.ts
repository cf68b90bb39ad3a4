/** How people see what hosts do with a template's images: pull them ahead, and remove them. */
import type { ImagePrefetch, ImagePurge } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { shortName } from "../values/name.ts";

/** Such as "purged from 3 of 5 hosts; to go: mac-4; failed: mac-5 (StillCached: …)"; of many only the first ones. */
export function formatPurge({ purgedHosts, pendingHosts, failedHosts, keptFor }: ImagePurge): string {
  const count = purgedHosts.length + pendingHosts.length + failedHosts.length;
  const hosts = count === 0 ? "no host has its image" : `purged from ${purgedHosts.length} of ${count} hosts`;
  return [
    hosts,
    ...listed("to go", pendingHosts.map(shortName)),
    ...formatFailures(failedHosts),
    ...listed("kept for", keptFor.map(shortName)),
  ].join("; ");
}

/** Such as "pulling: mac-1 (37 %); waiting: mac-2, mac-3". */
export function formatPrefetch({ waitingHosts, pullingHosts, failedHosts }: ImagePrefetch): string {
  const pulling = pullingHosts.map(({ host, percent }) => `${shortName(host)} (${Math.round(percent)} %)`);
  return [
    ...listed("pulling", pulling),
    ...listed("waiting", waitingHosts.map(shortName)),
    ...formatFailures(failedHosts),
  ].join("; ");
}

type HostFailure = ImagePurge["failedHosts"][number] | ImagePrefetch["failedHosts"][number];

/** Hosts that failed for the same reason together: most often that is all of them. */
function formatFailures(failures: readonly HostFailure[]): readonly string[] {
  const byWords = Map.groupBy(failures, ({ reason, message }) => `${reason}: ${message}`);
  return [...byWords].flatMap(([words, hosts]) =>
    listed(
      "failed",
      hosts.map(({ host }) => shortName(host)),
    ).map((list) => `${list} (${words})`),
  );
}

function listed(title: string, words: readonly string[]): readonly string[] {
  if (words.length === 0) return [];
  return [`${title}: ${words.slice(0, namedMax).join(", ")}${words.length > namedMax ? ", …" : ""}`];
}

/** About a line's worth; --json has all. */
const namedMax = 5;
