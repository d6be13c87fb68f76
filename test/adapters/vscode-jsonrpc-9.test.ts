/** The major version before: what the adapter imports is that one here. */
import { describe, vi } from 'vitest'
import type * as Newest from 'vscode-jsonrpc/node'
import * as library from 'vscode-jsonrpc-9/node'
import * as adapter from '../../src/adapters/vscode-jsonrpc/index.js'
import { jsonRpcKit } from './support/json-rpc-kit.js'
import { jsonRpcScenarios } from './support/json-rpc-scenarios.js'

vi.mock('vscode-jsonrpc/node', () => import('vscode-jsonrpc-9/node'))

describe('with vscode-jsonrpc 9', () => {
  jsonRpcScenarios(library as unknown as typeof Newest, adapter)
  jsonRpcKit(adapter)
})
