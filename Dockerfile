FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:22-slim
ENV NODE_ENV=production STATE_DIR=/var/lib/portal
RUN install --directory --owner=1000 --group=1000 --mode=0700 /var/lib/portal
WORKDIR /opt/portal
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/generated generated
COPY --from=build /app/dist/generated dist/generated
COPY --from=build /app/dist/src dist/src
# node, by number so that Kubernetes can tell that it is not root.
USER 1000:1000
VOLUME /var/lib/portal
EXPOSE 443 4017
# Whether it takes work, not whether it is who it says: the certificate is for the public name, and this asks by address.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "require('https').get({ host: '127.0.0.1', port: process.env.API_PORT || 4017, path: '/healthz', rejectUnauthorized: false }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "dist/src/cli/main.js"]
CMD ["relay"]
