import { type Programs, run } from './programs.js';

export interface FirewallOptions {
  /** Name of the table, and of the interface. */
  name: string;
  /** This relay's address in the overlay. */
  address: string;
  /** The TCP ports that peers may reach. */
  ports: readonly number[];
}

/**
 * Rules of nftables in a table of their own: peers reach the given ports and nothing else, neither on this machine nor
 * through it, and nobody reaches the overlay's address by another interface.
 */
export class Firewall {
  constructor(
    private readonly programs: Programs,
    private readonly options: FirewallOptions,
  ) {}

  /** Puts the rules in force in one step, in place of those that a killed relay has left. @throws ProgramError */
  async raise(): Promise<void> {
    const { name, address, ports } = this.options;
    const link = `"${name}"`;
    await this.#nft(`
      add table inet ${name}
      delete table inet ${name}
      table inet ${name} {
        chain input {
          type filter hook input priority filter; policy accept;
          iifname != { ${link}, "lo" } ip daddr ${address} drop
          iifname != ${link} accept
          ct state established,related accept
          ip daddr ${address} tcp dport { ${ports.join(', ')} } accept
          drop
        }
        chain forward {
          type filter hook forward priority filter; policy accept;
          iifname ${link} drop
          oifname ${link} drop
        }
      }
    `);
  }

  /** Whether the rules are in force: tools that load a firewall anew flush those of others. */
  async isUp(): Promise<boolean> {
    const { name } = this.options;
    return await run(this.programs.nft, ['list', 'table', 'inet', name]).then(
      (text) => text.includes('hook input') && text.includes('hook forward'),
      () => false,
    );
  }

  async lower(): Promise<void> {
    const { name } = this.options;
    await this.#nft(`add table inet ${name}\ndelete table inet ${name}\n`);
  }

  async #nft(script: string): Promise<void> {
    await run(this.programs.nft, ['-f', '-'], script);
  }
}
