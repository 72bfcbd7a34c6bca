// An ESLint rule: what outside input or a timer calls runs inside a boundary (src/util/boundary.ts), or one packet could end the
// process. A handler counts as guarded when it is `guard(…)`, a name or private field that was given `guard(…)`, or so short that it
// cannot throw. Anything else needs a `// boundary: why not` on the line before.

/** Events that bring outside input. */
const events = new Set([
  'checkContinue',
  'checkExpectation',
  'clientError',
  'connect',
  'connection',
  'data',
  'datagram',
  'message',
  'readable',
  'request',
  'secureConnection',
  'session',
  'stream',
  'upgrade',
]);
/** Calls that do not throw, or whose own listeners are guarded. */
const harmless = new Set(['abort', 'destroy', 'emit', 'pause', 'resume']);

export const guardedHandlers = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      handler:
        "The handler of '{{event}}' has no boundary: wrap it in guard(), so that what it throws ends one connection alone.",
      interval:
        'Use repeat() of util/boundary instead of setInterval(): what the handler throws must not end the process.',
      server: 'The listener of {{name}}() has no boundary: wrap it in guard().',
    },
  },
  create(context) {
    const { sourceCode } = context;
    const isGuard = (node) =>
      node?.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === 'guard';
    const isHarmless = (node) => {
      if (node.type !== 'ArrowFunctionExpression') return false;
      const { body } = node;
      if (body.type === 'Identifier' && body.name === 'undefined') return true;
      if (body.type === 'BlockStatement') return body.body.length === 0;
      return body.type === 'CallExpression' && harmless.has(body.callee.property?.name);
    };
    const valueOf = (node) => {
      if (node.type === 'Identifier') {
        for (let scope = sourceCode.getScope(node); scope; scope = scope.upper) {
          const definition = scope.set.get(node.name)?.defs[0]?.node;
          if (definition) return definition.init;
        }
      } else if (node.type === 'MemberExpression' && node.object.type === 'ThisExpression') {
        const owner = sourceCode.getAncestors(node).find(({ type }) => type === 'ClassBody');
        return owner?.body.find(({ type, key }) => type === 'PropertyDefinition' && key.name === node.property.name)
          ?.value;
      }
      return undefined;
    };
    const isSafe = (node) => isGuard(node) || isHarmless(node) || isGuard(valueOf(node));
    const isExplained = (node) =>
      sourceCode
        .getAllComments()
        .some(
          ({ value, loc }) =>
            value.trim().startsWith('boundary: ') && [0, 1].includes(node.loc.start.line - loc.end.line),
        );
    return {
      CallExpression(node) {
        const { callee, arguments: args } = node;
        if (callee.type === 'Identifier' && callee.name === 'setInterval' && !isExplained(node))
          context.report({ node, messageId: 'interval' });
        if (callee.type === 'Identifier' && callee.name === 'createServer') {
          const listener = args.find(({ type }) => type !== 'ObjectExpression' && type !== 'SpreadElement');
          if (listener && listener.type.includes('Function') && !isSafe(listener))
            context.report({ node, messageId: 'server', data: { name: callee.name } });
        }
        if (callee.type !== 'MemberExpression' || !['on', 'once', 'addListener'].includes(callee.property.name)) return;
        const [event, handler] = args;
        if (event?.type !== 'Literal' || !events.has(event.value) || !handler) return;
        if (!isSafe(handler) && !isExplained(callee.property))
          context.report({ node: event, messageId: 'handler', data: { event: event.value } });
      },
    };
  },
};
