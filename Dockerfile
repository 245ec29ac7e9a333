# The service in an image without shell, package manager or npm: Node, its C libraries, the bundled program.
# Any Node 24 image can be the base, by tag or digest: --build-arg NODE_IMAGE=…
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
# The build needs no install scripts of packages, so none runs.
RUN npm ci --ignore-scripts --no-audit --no-fund
# The files of the runtime stage: node, the libraries that it is linked to, and a name for its user.
RUN mkdir -p /rootfs/usr/local/bin /rootfs/etc /rootfs/tmp \
  && cp -L "$(command -v node)" /rootfs/usr/local/bin/node \
  && for library in $(ldd /rootfs/usr/local/bin/node | grep -oE '/[^ ]+'); do \
       mkdir -p "/rootfs$(dirname "$library")" && cp -L "$library" "/rootfs$library" || exit 1; \
     done \
  && echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' > /rootfs/etc/passwd \
  && echo 'nonroot:x:65532:' > /rootfs/etc/group \
  && chmod 1777 /rootfs/tmp
COPY build.ts tsconfig.json guest-token.js openapi.yaml policy.schema.json LICENSE ./
COPY src ./src
COPY scripts ./scripts
# Readable by all users, whatever the umask of the checkout.
RUN node build.ts \
  && mkdir /app && cp -r dist guest-token.js openapi.yaml policy.schema.json LICENSE /app/ \
  && rm -r /app/dist/browser \
  && chmod -R a+rX,go-w /app

# Only for the sample of docker-compose.yml: a sample app with a login, and a simulated Databrain.
FROM build AS demo
COPY demo ./demo
COPY deploy/sample-app ./deploy/sample-app
# The folder for its certificate is a volume, which inherits this owner.
RUN chmod -R a+rX /src && mkdir /tls && chown 65532:65532 /tls
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["node"]
CMD ["deploy/sample-app/main.ts"]

FROM scratch AS runtime
COPY --from=build /rootfs/ /
COPY --from=build /app/ /app/
WORKDIR /app
ENV NODE_ENV=production PATH=/usr/local/bin
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "/app/dist/main.js", "healthcheck"]
# Exec form: node is process 1 and gets the signals. The flags disable what the service never uses:
# writing files (except in the archive of policies), child processes, workers, native add-ons, and
# Object.prototype.__proto__.
ENTRYPOINT ["node", "--permission", "--allow-fs-read=*", "--allow-fs-write=/var/lib/guest-token-proxy/policies/*", "--disable-proto=delete", "/app/dist/main.js"]
CMD ["serve"]
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="guest-token-proxy" \
      org.opencontainers.image.description="Verifies your users' JWTs, decides by a policy file, mints Databrain guest tokens with a key only it knows" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
