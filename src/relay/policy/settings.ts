import type { SettingsRecord } from '../store/governance-store.js';

export interface PortSettings {
  /** Whether new leases may have such a port. */
  enabled: boolean;
  /** Most leases with such a port at once; 0 means no limit. */
  maxLeases: number;
}

/** The settings that an admin can change. */
export interface PolicySettings {
  /** `auto` approves every identity that is neither denied nor banned, `manual` waits for an admin. */
  approvalMode: 'auto' | 'manual';
  landingPageEnabled: boolean;
  udp: PortSettings;
  tcpPort: PortSettings;
}

/** The configured settings, overridden by those that an admin has set. */
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
