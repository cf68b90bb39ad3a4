/**
 * `meridian completion SHELL` prints a small script for the shell. The script asks the hidden verb `complete` at each Tab, so
 * that it never goes stale: the answer comes from the tree of commands itself, and names come from the server.
 */
import { Argument } from "@commander-js/extra-typings";
import { candidatesFor } from "./completion/candidates.ts";
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { examples } from "./verbs.ts";

const bash = `# Completion of meridian for bash. Try it with: source <(meridian completion bash)
_meridian() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(meridian complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _meridian meridian
`;

const zsh = `#compdef meridian
# Completion of meridian for zsh. Try it with: source <(meridian completion zsh)
_meridian() {
  local line
  local -a candidates
  for line in "\${(@f)$(meridian complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( $#candidates )); then _describe meridian candidates; else _files; fi
}
if [[ $funcstack[1] == _meridian ]]; then _meridian "$@"; else compdef _meridian meridian; fi
`;

const fish = `# Completion of meridian for fish. Try it with: meridian completion fish | source
complete -c meridian -f -a '(meridian complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`;

const scripts = { bash, zsh, fish } as const;

export function registerCompletion(program: Program, terminal: Terminal): void {
  program
    .command("completion")
    .summary("print a script that completes commands in your shell")
    .description("Prints a script that completes commands, flags and names in your shell.")
    .addArgument(new Argument("<shell>", "your shell").choices(["bash", "zsh", "fish"] as const))
    .addHelpText(
      "after",
      examples(
        "completion bash > ~/.local/share/bash-completion/completions/meridian",
        'completion zsh > "${fpath[1]}/_meridian"',
        "completion fish > ~/.config/fish/completions/meridian.fish",
      ),
    )
    .action((shell) => terminal.stdout.write(scripts[shell]));

  program
    .command("complete", { hidden: true })
    .argument("[words...]", "what stands after meridian, up to the cursor")
    .action(async (words) => {
      const candidates = await candidatesFor(program, words, terminal);
      terminal.stdout.write(candidates.map(({ text, description }) => `${text}\t${description}\n`).join(""));
    });
}
