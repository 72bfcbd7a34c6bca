import { Box, Text } from 'ink';
import { plain } from '../../util/human.js';
import type { OpenForm } from './model.js';

/** Fields to be filled in. */
export function Form({ plan, values, at, fault, isBusy }: OpenForm) {
  return (
    <Box flexDirection="column">
      <Text bold>{plan.title}</Text>
      {plan.fields.map(({ name, label, hint }, index) => (
        <Text key={name} wrap="truncate-start">
          {index === at ? '> ' : '  '}
          {label.padEnd(14)} {plain(values[name]!)}
          {index === at ? '_' : ''}
          {hint && values[name] === '' ? <Text dimColor> {hint}</Text> : null}
        </Text>
      ))}
      <Text wrap="truncate">
        {isBusy ? 'asking the agent …' : plain(fault ?? 'Enter: done   Tab: next   Esc: leave')}
      </Text>
    </Box>
  );
}
