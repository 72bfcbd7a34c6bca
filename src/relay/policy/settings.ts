import type { SettingsRecord } from '../store/governance-store.js';

export interface PortSettings {
  /** Whether new leases may have such a port. */
  enabled: boolean;
  /** How many may have one at once; 0 is no limit. */
  maxLeases: number;
}

/** What an admin can set. */
export interface PolicySettings {
  /** `auto` approves every identity that is neither denied nor banned, `manual` waits for an admin. */
  approvalMode: 'auto' | 'manual';
  landingPageEnabled: boolean;
  udp: PortSettings;
  tcpPort: PortSettings;
}

/** The settings once those that an admin has set are laid over them. */
export function changedSettings(settings: PolicySettings, set: SettingsRecord): PolicySettings {
  return {
    approvalMode: set.approvalMode ?? settings.approvalMode,
    landingPageEnabled: set.landingPageEnabled ?? settings.landingPageEnabled,
    udp: {
      enabled: set.udpEnabled ?? settings.udp.enabled,
      maxLeases: set.udpMaxLeases ?? settings.udp.maxLeases,
    },
    tcpPort: {
      enabled: set.tcpPortEnabled ?? settings.tcpPort.enabled,
      maxLeases: set.tcpPortMaxLeases ?? settings.tcpPort.maxLeases,
    },
  };
}
