import { UsageError } from '../sdk/calls/errors.js';
import { settingEntries } from './expose/settings.js';

const help = `Usage: portal completion bash|zsh|fish

Prints a script for your shell:
  bash   source <(portal completion bash)                             in ~/.bashrc
  zsh    source <(portal completion zsh)                              in ~/.zshrc, after compinit
  fish   portal completion fish > ~/.config/fish/completions/portal.fish
`;

const commands = [
  'expose',
  'agent',
  'list',
  'relay',
  'admin',
  'config',
  'doctor',
  'conformance',
  'completion',
  'help',
  'version',
];
const shells: Record<string, () => string> = {
  bash,
  zsh: () => `autoload -U +X bashcompinit && bashcompinit\n${bash()}`,
  fish,
};

/** `portal completion`. @returns the exit code */
export function completionCommand([shell = '', ...more]: string[]): number {
  if (shell === '--help' || shell === '-h') {
    process.stdout.write(help);
    return 0;
  }
  try {
    const script = Object.hasOwn(shells, shell) && more.length === 0 ? shells[shell]?.() : undefined;
    if (script === undefined) throw new UsageError(`give bash, zsh or fish`);
    process.stdout.write(script);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal completion: ${error.message}\n`);
    return 2;
  }
}

function flags(): { flag: string; isFile: boolean; takesValue: boolean; help: string }[] {
  const own = settingEntries.flatMap(([, { flag, argument, kind, help: text }]) =>
    flag === undefined ? [] : [{ flag, isFile: argument === 'FILE', takesValue: kind !== 'switch', help: text }],
  );
  return [
    ...own,
    { flag: 'config', isFile: true, takesValue: true, help: 'many services, from a TOML file' },
    { flag: 'json', isFile: false, takesValue: false, help: 'JSON lines' },
    { flag: 'help', isFile: false, takesValue: false, help: 'what the options mean' },
  ];
}

function bash(): string {
  const all = flags();
  const ofFiles = all.filter(({ isFile }) => isFile).map(({ flag }) => `--${flag}`);
  return `_portal() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.join(' ')}' -- "$current"))
    return
  fi
  case $previous in
    ${ofFiles.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    completion) COMPREPLY=($(compgen -W '${Object.keys(shells).join(' ')}' -- "$current")); return ;;
  esac
  case \${COMP_WORDS[1]} in
    expose|config|doctor)
      case $current in
        -*) COMPREPLY=($(compgen -W '${all.map(({ flag }) => `--${flag}`).join(' ')}' -- "$current")) ;;
        *) COMPREPLY=($(compgen -f -- "$current")) ;;
      esac ;;
  esac
}
complete -o filenames -F _portal portal
`;
}

function fish(): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = [`complete -c portal -f -n __fish_use_subcommand -a ${quote(commands.join(' '))}`];
  lines.push(
    `complete -c portal -f -n '__fish_seen_subcommand_from completion' -a ${quote(Object.keys(shells).join(' '))}`,
  );
  for (const { flag, isFile, takesValue, help: text } of flags()) {
    const value = takesValue ? (isFile ? ' -r -F' : ' -x') : '';
    lines.push(
      `complete -c portal -n '__fish_seen_subcommand_from expose config doctor' -l ${flag}${value} -d ${quote(text.slice(0, 60))}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
