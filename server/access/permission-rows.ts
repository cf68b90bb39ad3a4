/** The table of permissions in words, for documents. */
import type { DescMethod } from "@bufbuild/protobuf";
import { guardedServices, requirementOf } from "./permissions.ts";
import type { Requirement } from "./requirement.ts";
import type { Role } from "./roles.ts";

export interface PermissionRow {
  readonly service: string;
  readonly method: string;
  /** The role that it needs; absent: any caller who is known. */
  readonly role?: Role;
  readonly where: "" | "everywhere" | "in any project" | "in the project" | "in the VM's project";
  /** The role that is enough for one's own VM, in its project; absent: the same. */
  readonly ownRole?: Role;
}

export function permissionRows(): readonly PermissionRow[] {
  return guardedServices.flatMap((service) =>
    service.methods.map((method) => ({
      service: service.name,
      method: method.name,
      ...rowOf(method, requirementOf(method)),
    })),
  );
}

function rowOf(method: DescMethod, requirement: Requirement | undefined): Omit<PermissionRow, "service" | "method"> {
  switch (requirement?.scope) {
    case undefined:
      throw new Error(`${method.name} is in no table of permissions`);
    case "self":
      return { where: "" };
    case "pool":
      return { role: requirement.role, where: "everywhere" };
    case "somewhere":
      return { role: requirement.role, where: "in any project" };
    case "project":
      return { role: requirement.role, where: "in the project" };
    case "vm": {
      const { role, ownRole } = requirement;
      return { role, where: "in the VM's project", ...(ownRole === undefined ? {} : { ownRole }) };
    }
    default:
      return requirement satisfies undefined;
  }
}
