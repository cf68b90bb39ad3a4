/** Who may make a VM of a template, and whether anybody may. */
import { MeridianError } from "../../shared/errors.ts";
import { type PoolRole, poolRoles } from "./service-account.ts";
import type { TemplateRecord, TemplateSpec } from "./template.ts";
import { isRevoked } from "./template-standing.ts";
import type { PoolView } from "./view.ts";
import type { VmSpec } from "./vm.ts";

/**
 * Throws TEMPLATE_REVOKED and TEMPLATE_NOT_ALLOWED. A copy is of its original's template.
 * @param role the caller's in the VM's project; absent: nobody is asked who he is.
 */
export function checkTemplateUse(
  view: Pick<PoolView, "templates">,
  spec: Pick<VmSpec, "template" | "project">,
  role: PoolRole | undefined,
): void {
  const template = view.templates.get(spec.template);
  // Whether it has to exist is another question: that of a copy may be gone.
  if (template === undefined) return;
  checkNotRevoked(template);
  checkAccess(template, spec.project, role);
}

export function checkNotRevoked(template: TemplateRecord): void {
  if (!isRevoked(template)) return;
  const resource = `templates/${template.id}`;
  const reason = template.standing?.reason ?? "";
  throw new MeridianError(
    "TEMPLATE_REVOKED",
    `${resource} is revoked (${reason}); use another template, or have an operator restore it`,
    { resource, metadata: { template: resource, reason } },
  );
}

function checkAccess({ id, spec }: TemplateRecord, project: string, role: PoolRole | undefined): void {
  const { projects = [], roles = [] } = spec.access ?? ({} satisfies Partial<NonNullable<TemplateSpec["access"]>>);
  const resource = `templates/${id}`;
  if (projects.length > 0 && !projects.includes(project)) {
    throw new MeridianError(
      "TEMPLATE_NOT_ALLOWED",
      `${resource} may not be used in project ${project}; ask in one of its projects, or have an operator allow this one`,
      { resource, metadata: { template: resource, project } },
    );
  }
  if (roles.length === 0 || role === undefined) return;
  const held = poolRoles.indexOf(role);
  if (roles.some((needed) => poolRoles.indexOf(needed) <= held)) return;
  throw new MeridianError(
    "TEMPLATE_NOT_ALLOWED",
    `${resource} may be used only by those who are ${roles.join(" or ")} in project ${project}, and the caller is ${role}`,
    { resource, metadata: { template: resource, project, role } },
  );
}
