/** Roles as people write them: `user`, or `user@acme` for a project. */

import { Role, type RoleBinding, RoleSchema } from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { wrongUsage } from "../failure.ts";
import { enumWord } from "./enum.ts";

export interface Binding {
  readonly role: Role;
  /** Empty: everywhere. */
  readonly project: string;
}

const roles: Readonly<Record<string, Role>> = {
  viewer: Role.VIEWER,
  user: Role.USER,
  operator: Role.OPERATOR,
  admin: Role.ADMIN,
};

/** For a flag that may be repeated. */
export function collectRole(text: string, previous: readonly Binding[] | undefined): readonly Binding[] {
  const at = text.indexOf("@");
  const word = at === -1 ? text : text.slice(0, at);
  const role = roles[word];
  if (role === undefined) {
    throw wrongUsage(
      `${word} is no role`,
      `Roles are ${Object.keys(roles).join(", ")}; \`user@acme\` is one in a project.`,
    );
  }
  return [...(previous ?? []), { role, project: at === -1 ? "" : projectId(text.slice(at + 1)) }];
}

/** For a flag that may be repeated, where a project has no place. */
export function collectPlainRole(text: string, previous: readonly Role[] | undefined): readonly Role[] {
  const role = roles[text];
  if (role === undefined) throw wrongUsage(`${text} is no role`, `Roles are ${Object.keys(roles).join(", ")}.`);
  return [...(previous ?? []), role];
}

/** The roles, each in the project if it names none itself. */
export function inProject(bindings: readonly Binding[], project: string | undefined): readonly Binding[] {
  if (project === undefined) return bindings;
  return bindings.map((binding) => (binding.project === "" ? { ...binding, project: projectId(project) } : binding));
}

/** Such as "user in acme, viewer everywhere". */
export function formatRoles(bindings: readonly Pick<RoleBinding, "role" | "project">[]): string {
  const words = bindings.map(
    ({ role, project }) => `${enumWord(RoleSchema, role)} ${project === "" ? "everywhere" : `in ${project}`}`,
  );
  return words.length === 0 ? "none" : words.join(", ");
}

function projectId(text: string): string {
  return text.replace(/^projects\//, "");
}
