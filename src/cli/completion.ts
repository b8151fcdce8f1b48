import path from 'node:path';
import type { Argv } from 'yargs';
import { type Environment, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import type { ArgumentsOf } from './options.js';

export const command = 'completion [shell]';
export const describe = 'Print a script that completes verbs and options in a shell';

export function builder(parser: Argv) {
  return parser
    .positional('shell', {
      choices: ['bash', 'zsh', 'fish'] as const,
      defaultDescription: 'that of $SHELL',
      describe: 'For which shell',
    })
    .example('source <($0 completion bash)', 'In this shell')
    .example('$0 completion zsh > ~/.zfunc/_gfp-scope', 'In every zsh, with ~/.zfunc in fpath')
    .example('$0 completion fish > ~/.config/fish/completions/gfp-scope.fish', 'In every fish');
}

/**
 * The scripts ask the program itself, which yargs lets do that: it gives the words in the form of the
 * shell that $SHELL names. Where it has none, the shell completes file names.
 */
const SCRIPTS = {
  bash: `# gfp-scope completion for bash: source it, or put it in ~/.local/share/bash-completion/completions/gfp-scope
_gfp_scope() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  words=$(SHELL=bash "\${COMP_WORDS[0]}" --get-yargs-completions "\${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -o bashdefault -F _gfp_scope gfp-scope
`,
  zsh: `#compdef gfp-scope
# gfp-scope completion for zsh: source it, or put it as _gfp-scope in a directory of fpath
_gfp_scope() {
  local -a replies
  replies=("\${(@f)$(SHELL=zsh "\${words[1]}" --get-yargs-completions "\${(@)words[1,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${replies[1]}" ]]; then
    _describe gfp-scope replies
  else
    _files
  fi
}
if [[ "\${zsh_eval_context[-1]}" == loadautofunc ]]; then
  _gfp_scope "$@"
else
  compdef _gfp_scope gfp-scope
fi
`,
  fish: `# gfp-scope completion for fish: put it in ~/.config/fish/completions/gfp-scope.fish
function __gfp_scope
  set -lx SHELL fish
  gfp-scope --get-yargs-completions (commandline --cut-at-cursor --tokenize) (commandline --cut-at-cursor --current-token) 2>/dev/null
end
complete --command gfp-scope --arguments '(__gfp_scope)'
`,
};

type Shell = keyof typeof SCRIPTS;

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const own = path.basename(environment.env.SHELL ?? '');
  await write(environment.stdout, SCRIPTS[args.shell ?? (own in SCRIPTS ? (own as Shell) : 'bash')]);
  return EXIT.done;
}
