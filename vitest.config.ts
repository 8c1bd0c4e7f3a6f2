import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

// Three projects: `unit` in plain Node for what is pure, `workerd` in the real runtime, `system` against the built Worker.
export default defineConfig({
  test: {
    coverage: { provider: 'istanbul', include: ['src/**/*.ts', 'durable/**/*.ts'], reporter: ['text-summary', 'text'] },
    projects: [
      {
        test: { name: 'unit', environment: 'node', include: ['test/workflow/**/*.test.ts'], testTimeout: 60_000 },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                AUTH: 'none',
                EGRESS_ALLOW: 'upstream.test',
                SECRETS_KEY: Buffer.alloc(32, 'key of the tests').toString('base64'),
              },
              // Every fetch() that leaves the Worker ends here, never on the network.
              outboundService: (request: Request) => new Response(`no upstream for ${request.url}`, { status: 502 }),
            },
          }),
        ],
        test: {
          name: 'workerd',
          include: ['test/{tasks,api,durable}/**/*.test.ts'],
          globalSetup: 'test/support/python-programs.ts',
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'system',
          environment: 'node',
          include: ['test/system/**/*.test.ts'],
          globalSetup: 'test/system/build.ts',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
