interface TimedLine {
  time: string;
  message: string;
}

/** Lines with their times, the last one first. */
export function TimedLines({ lines }: { lines: TimedLine[] }) {
  return (
    <ol className="log">
      {lines.toReversed().map(({ time, message }, index) => (
        <li key={lines.length - index}>
          <time dateTime={time}>{new Date(time).toLocaleTimeString()}</time> {message}
        </li>
      ))}
    </ol>
  );
}
