/** Writes docs/permissions.md from the table of permissions: `npm run permissions`. A test says when that is due. */
import { writeFileSync } from "node:fs";
import { permissionRows } from "../server/access/permission-rows.ts";

export function permissionsPage(): string {
  const lines = permissionRows().map(
    ({ service, method, role, where, ownRole }) =>
      `| \`${service}.${method}\` | ${role ?? "any"} | ${where} | ${ownRole ?? ""} |`,
  );
  return `${intro}\n| call | role | where | own VM |\n| --- | --- | --- | --- |\n${lines.join("\n")}\n`;
}

const intro = `# Permissions

Made from \`server/access/permissions.ts\` by \`npm run permissions\`. What roles are, and how callers get them, is said in
[security.md](security.md).

* Each role includes those before it: viewer, user, operator, admin. A role is given in one project, or everywhere.
* "in the project" is the one that the request names, or \`default\`; "in the VM's project" that of the VM which it names. A role
  that is given everywhere holds in every project.
* "in any project": the role in some project is enough. What belongs to projects that the caller may not see is left out of the
  answer. Of a VM in such a project the caller is told that it does not exist.
* "own VM": this role is enough for a VM that the caller asked for.
`;

if (import.meta.main) writeFileSync(new URL("../docs/permissions.md", import.meta.url), permissionsPage());
