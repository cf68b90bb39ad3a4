/**
 * What records can say since a release, in the version that they had in that release, by its path; and what a program of that
 * release does without it, which must be harmless. It ignores fields that it does not know, keeps them in records that it
 * changes, but drops them from a spec that a client changes; an unknown word is none of those that it knows. Whatever would do
 * harm needs a new version of its kind of record instead (`server/engine/migrations.ts`, `docs/storage.md`).
 */
export const harmlessAdditions: Readonly<Record<string, string>> = {
  "host.dial": "an older program takes a Hello that was held up for a new one, as it always did",
  "vm.owner": "an older program knows no callers, and asks nobody whose a VM is",
  "vm.mayHaveRemains": "an older program lets go of the host; what is left there is removed as an orphan",
  "vm.spec.preemptible": "an older program ends nothing early, and drains by priority and age alone",
  "vm.spec.placement.strategy": "an older program packs, whatever the settings say",
  "host.trouble": "an older program places VMs where they keep failing, as it always did",
  "template.trouble": "an older program blames hosts for what a template does",
  "vm.reservation": "an older program keeps no room: smaller VMs may take it, as they always did",
  "request.batch": "an older program has no batches, whose request ids nobody else asks with",
  "vm.taint": "an older program does not warn",
  "vm.endReason.TemplateRevoked": "an older program says that the VM's lifetime was over",
  "vm.notice": "an older program ends nobody for another; what was being removed to wait anew is deleted",
  "vm.endReason.Preempted": "an older program says that the VM's lifetime was over",
  "template.standing.purges": "an older program leaves images where they are; the next newer one removes them",
  "host.prefetches": "an older program takes no more notice of what hosts say of them",
  "catalog.reading": "an older program lets hosts resolve versions, and follows no catalog",
  "host.imagePurges": "an older program takes no more notice of what hosts say of them",
  "host.drainStart": "an older program does not tell since when a host is being drained",
};
