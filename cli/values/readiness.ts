/** Readiness probes as a flag: tools, none, tcp:22, exec:COMMAND. */
import { create } from "@bufbuild/protobuf";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { type ReadinessProbe, ReadinessProbeSchema } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { formatDuration } from "./duration.ts";

export function parseReadiness(text: string): ReadinessProbe {
  if (text === "tools") return create(ReadinessProbeSchema, { probe: { case: "guestTools", value: true } });
  if (text === "none") return create(ReadinessProbeSchema);
  const port = /^tcp:(\d{1,5})$/.exec(text);
  if (port && Number(port[1]) >= 1 && Number(port[1]) <= 65_535) {
    return create(ReadinessProbeSchema, { probe: { case: "tcpPort", value: Number(port[1]) } });
  }
  if (text.startsWith("exec:") && text.length > "exec:".length) {
    return create(ReadinessProbeSchema, { probe: { case: "exec", value: text.slice("exec:".length) } });
  }
  throw new InvalidArgumentError("Write tools, none, tcp:PORT or exec:COMMAND.");
}

/** The probe in words. */
export function formatReadiness(probe: ReadinessProbe): string {
  const limit = probe.timeoutSeconds === 0 ? "" : `, within ${formatDuration(probe.timeoutSeconds * 1000)}`;
  switch (probe.probe.case) {
    case "guestTools":
      return `Parallels Tools answer${limit}`;
    case "exec":
      return `\`${probe.probe.value}\` succeeds in the guest${limit}`;
    case "tcpPort":
      return `TCP port ${probe.probe.value} accepts connections${limit}`;
    default:
      return "powered on is enough";
  }
}
