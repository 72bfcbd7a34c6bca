// Files by which the system starts the agent: at the log-in of its user, or with the machine.

export interface AgentCommandLine {
  /** The program and its arguments, all absolute. */
  command: readonly string[];
  /** What it needs of the environment. */
  env?: Readonly<Record<string, string>>;
}

export const serviceName = 'portal-agent';
/** Of launchd. */
export const launchdLabel = 'portal.agent';

/** A connection of a visitor has two sockets. */
const openFiles = 65_536;
/** Longer than the grace of connections when the agent ends. */
const stopSeconds = 20;

/**
 * A unit of systemd.
 * @param scope `user`: of the user who installs it, from log-in on, or from the start of the machine with lingering; `system`: of a user of its
 * own that systemd makes (DynamicUser)
 */
export function systemdUnit({ command, env = {} }: AgentCommandLine, scope: 'user' | 'system'): string {
  const ofSystem = `DynamicUser=yes
StateDirectory=${serviceName}
StateDirectoryMode=0700
ProtectHome=read-only
`;
  return `# Written by portal agent install; portal agent uninstall removes it.
[Unit]
Description=Portal agent
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=${command.map(systemdWord).join(' ')}
${Object.entries(env)
  .map(([name, value]) => `Environment=${systemdWord(`${name}=${value}`)}\n`)
  .join('')}${scope === 'system' ? ofSystem : ''}UMask=0077
Restart=always
RestartSec=5
# 2 is wrong usage, which another start would not mend.
RestartPreventExitStatus=2
TimeoutStopSec=${stopSeconds}
LimitNOFILE=${openFiles}
NoNewPrivileges=yes

[Install]
WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}
`;
}

/** A quoted word of a unit, without specifiers and variables (systemd.service, Command lines). */
function systemdWord(word: string): string {
  if (/[\r\n\0]/.test(word)) throw new Error('a path with a line break cannot be written into a unit');
  return `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}

/** A property list of launchd, for the user's log-in. */
export function launchdPlist({ command, env = {} }: AgentCommandLine, logFile: string): string {
  const text = (value: string) => `<string>${xml(value)}</string>`;
  const variables = Object.entries(env).map(([name, value]) => `      <key>${xml(name)}</key>${text(value)}\n`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
  <dict>
    <key>Label</key>${text(launchdLabel)}
    <key>ProgramArguments</key>
    <array>
${command.map((word) => `      ${text(word)}\n`).join('')}    </array>
    <key>EnvironmentVariables</key>
    <dict>
${variables.join('')}    </dict>
    <key>RunAtLoad</key><true/>
    <key>KeepAlive</key><true/>
    <key>ThrottleInterval</key><integer>5</integer>
    <key>StandardErrorPath</key>${text(logFile)}
    <key>SoftResourceLimits</key>
    <dict><key>NumberOfFiles</key><integer>${openFiles}</integer></dict>
  </dict>
</plist>
`;
}

/** A task of the Windows Task Scheduler, for the user's log-on. */
export function windowsTask({ command }: AgentCommandLine): string {
  const [program = '', ...args] = command;
  return `<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>Portal agent</Description></RegistrationInfo>
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions>
    <Exec>
      <Command>${xml(program)}</Command>
      <Arguments>${xml(args.map(windowsWord).join(' '))}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}

/** As CommandLineToArgvW reads it: backslashes count only before a quotation mark. */
function windowsWord(word: string): string {
  let quoted = '"';
  let backslashes = 0;
  for (const char of word) {
    if (char === '\\') {
      backslashes++;
      continue;
    }
    quoted += '\\'.repeat(char === '"' ? 2 * backslashes + 1 : backslashes) + char;
    backslashes = 0;
  }
  return `${quoted}${'\\'.repeat(2 * backslashes)}"`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
