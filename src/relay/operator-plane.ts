import { identityKey } from '../contract/lease-identity.js';
import { portOf } from '../net/listen.js';
import type { Handlers } from './api/app.js';
import { discoveryHandlers } from './api/handlers/discovery.js';
import { landingHandlers } from './api/handlers/landing.js';
import { thumbnailHandlers } from './api/handlers/thumbnail.js';
import { keyPin } from './certs/certificate.js';
import type { DataPlane } from './data-plane.js';
import { Discovery } from './discovery/discovery.js';
import type { Foundation } from './foundation.js';
import { relayWords } from './landing/expose-command.js';
import { LandingPage } from './landing/landing-page.js';
import { DescriptorWatch } from './metrics/descriptor-watch.js';
import { MetricsListener } from './metrics/metrics-listener.js';
import { dialOwn } from './thumbnails/dial-own.js';
import { Overlay, type OverlayPart, type OverlayPort } from './overlay/overlay.js';
import { refuseWhenDraining } from './reverse/draining.js';
import { Thumbnails } from './thumbnails/thumbnails.js';

/** @param ports what listens at the relay's address in the overlay */
export type MakeOverlay = (ports: readonly OverlayPort[]) => OverlayPart;

/** Parts that a relay could route without: discovery, thumbnails, the landing page, metrics. */
export class OperatorPlane {
  readonly discovery: Discovery | undefined;
  readonly overlay: OverlayPart | undefined;
  /** Handlers of the operations of these parts. */
  readonly handlers: Handlers;
  readonly #thumbnails: Thumbnails | undefined;
  readonly #metricsListener: MetricsListener | undefined;
  readonly #descriptors: DescriptorWatch;
  readonly #foundation: Foundation;

  /** @param makeOverlay by default one of WireGuard, where it is configured */
  constructor(foundation: Foundation, data: DataPlane, makeOverlay?: MakeOverlay) {
    const { config, logger, policy, leases, metrics, certificates, key, privateKey, rootHost } = foundation;
    const { sessions, ports, routing } = data;
    this.#foundation = foundation;
    this.overlay = makeOverlay ? makeOverlay(data.overlayPorts) : this.#overlay(data);
    this.discovery = config.discovery
      ? new Discovery({
          ...config.discovery,
          portalUrl: config.portalUrl,
          identity: { address: key.address, privateKey },
          load: () => sessions.load(),
          ports: () => ({ udp: ports.udp.isOffered, tcp: ports.tcp.isOffered }),
          overlay: this.overlay,
          logger,
        })
      : undefined;
    this.#thumbnails = config.chromium
      ? new Thumbnails({
          chromium: config.chromium,
          routing,
          publicPort: () => data.publicPort,
          dialPublic: () => dialOwn(data.publicAddress, data.isBalancer),
          trustedKey: () => (config.certificateFiles || config.acme ? undefined : keyPin(certificates.current)),
          logger,
        })
      : undefined;
    const landing = new LandingPage({
      rootHost,
      releaseVersion: foundation.releaseVersion,
      relayWords: relayWords(config.portalUrl.origin, foundation.caFile),
      urlOf: (hostname) => new URL(`https://${hostname}:${data.publicPort}`).href,
      enabled: () => policy.settings.landingPageEnabled,
      offers: () => ({
        tcp: ports.tcp.isOffered,
        udp: ports.udp.isOffered,
        domains: config.domains,
        ownCertificates: config.ownCertificates,
        paths: this.overlay?.isUp === true,
      }),
      load: () => foundation.activity.load(),
      hasPicture: (hostname) => this.#thumbnails?.get(hostname) !== undefined,
      leases: () => leases.live(),
      // A lease that is reached from another relay only has no address to show.
      mayServe: ({ identity, hop }) => hop?.accepts === undefined && policy.mayServe(identityKey(identity)),
      isAlive: (lease) => sessions.isAlive(lease),
    });
    this.handlers = {
      ...landingHandlers(landing),
      ...discoveryHandlers(this.discovery),
      ...thumbnailHandlers(this.#thumbnails),
    };
    this.#metricsListener = metrics && new MetricsListener(metrics.registry, logger);
    this.#descriptors = new DescriptorWatch(logger);
  }

  /** Port of the metrics on 127.0.0.1; undefined when they are off. */
  get metricsPort(): number | undefined {
    return this.#metricsListener && portOf(this.#metricsListener.server);
  }

  /** Takes the relay's place in the overlay, before others ask for a descriptor that tells of it. */
  async startOverlay(): Promise<void> {
    await this.#foundation.lifecycle.start(
      () => this.overlay?.start(),
      () => this.overlay?.stop(),
    );
  }

  #overlay({ overlayPorts: ports }: DataPlane): Overlay | undefined {
    const { config, policy, logger, draining } = this.#foundation;
    if (!config.overlay || !config.discovery) return undefined;
    // Discovery is there before the overlay starts, and needs it itself.
    const discovery = () => this.discovery as Discovery;
    return new Overlay({
      ...config.overlay,
      stateDir: config.stateDir,
      ports,
      believed: () => discovery().believed(),
      mayReach: (ip) => discovery().mayReach(ip) && !policy.isIpBanned(ip),
      list: (ip) => discovery().list(ip),
      health: () => {
        refuseWhenDraining(draining.signal);
        return { status: 'ok' };
      },
      logger,
    });
  }

  /** @throws the system's error when the port for metrics cannot be bound */
  async start(): Promise<void> {
    const { lifecycle, config, sockets } = this.#foundation;
    const listener = this.#metricsListener;
    if (listener) {
      await lifecycle.start(
        () => sockets.listen(listener.server, { host: '127.0.0.1', port: config.metricsPort }),
        () => listener.stop(),
      );
    }
    lifecycle.onStop(() => this.#thumbnails?.stop());
    await lifecycle.start(
      () => this.discovery?.start(),
      () => this.discovery?.stop(),
    );
    await lifecycle.start(
      () => this.#descriptors.start(),
      () => this.#descriptors.stop(),
    );
  }
}
