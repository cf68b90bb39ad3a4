/** What a request is about, as far as it says: for the history of calls that did not come to a change. */
import type { DescMethod } from "@bufbuild/protobuf";

export interface RequestTarget {
  /** Such as `vms/build-7`; empty if the request names none, or none that could be. */
  readonly resource: string;
  readonly project?: string;
}

/** The request need not have been checked: what no name can be is left out. */
export function targetOf(method: DescMethod, request: object): RequestTarget {
  const fields = request as Fields;
  const resource = nameIn(fields) ?? createdName(method, fields) ?? "";
  const project = projectIn(fields);
  return { resource, ...(project === undefined ? {} : { project }) };
}

type Fields = Readonly<Record<string, unknown>>;

const namePattern = /^[a-zA-Z]{1,32}(?:\/[a-z0-9][a-z0-9.-]{0,62}){1,2}$/;
const idPattern = /^[a-z0-9][a-z0-9.-]{0,62}$/;

/** Its own `name`, or that of a resource in it. */
function nameIn(request: Fields): string | undefined {
  const own = textOf(request["name"]);
  if (own !== undefined) return namePattern.test(own) ? own : undefined;
  for (const value of Object.values(request)) {
    // Of a choice, what was chosen.
    const inner = fieldsOf(value)?.["value"] ?? value;
    const name = textOf(fieldsOf(inner)?.["name"]);
    if (name !== undefined && namePattern.test(name)) return name;
  }
  return undefined;
}

/** `vm_id` of a CreateVm is what `vms/{vm}` would be. */
function createdName({ localName }: DescMethod, request: Fields): string | undefined {
  const noun = /^create([A-Z])(.*)$/.exec(localName);
  if (noun === null) return undefined;
  const singular = `${noun[1]?.toLowerCase() ?? ""}${noun[2] ?? ""}`;
  const id = textOf(request[`${singular}Id`]);
  return id !== undefined && idPattern.test(id) ? `${singular}s/${id}` : undefined;
}

function projectIn(request: Fields): string | undefined {
  const [first] = Array.isArray(request["requests"]) ? request["requests"] : [];
  const vm = fieldsOf(request["vm"]) ?? fieldsOf(fieldsOf(first)?.["vm"]);
  const spec = fieldsOf(vm?.["spec"]) ?? fieldsOf(request["spec"]);
  const project = textOf(spec?.["project"]);
  return project !== undefined && idPattern.test(project) ? project : undefined;
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null ? (value as Fields) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
