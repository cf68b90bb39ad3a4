/** A word that can stand at the cursor. */
export interface Candidate {
  readonly text: string;
  readonly description: string;
}
