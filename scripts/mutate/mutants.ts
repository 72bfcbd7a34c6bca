import ts from 'typescript';

/** One small change of a program, which a test should notice. */
export interface Mutant {
  /** Range of the text that is replaced, and with what. */
  start: number;
  end: number;
  text: string;
  /** From 1. */
  line: number;
  what: string;
}

const swapped: Partial<Record<ts.SyntaxKind, string>> = {
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
  [ts.SyntaxKind.PlusToken]: '-',
  [ts.SyntaxKind.MinusToken]: '+',
};

/** All changes that are tried: turned conditions and operators, calls and statements that are gone, other constants. */
export function mutantsOf(code: string): Mutant[] {
  const source = ts.createSourceFile('program.js', code, ts.ScriptTarget.ES2023, true, ts.ScriptKind.JS);
  const found: Mutant[] = [];
  const add = (node: ts.Node, text: string, what: string) => {
    const start = node.getStart(source);
    found.push({ start, end: node.end, text, what, line: source.getLineAndCharacterOfPosition(start).line + 1 });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isIfStatement(node)) {
      add(node.expression, 'true', 'condition is always true');
      add(node.expression, 'false', 'condition is never true');
    } else if (ts.isBinaryExpression(node)) {
      const other = swapped[node.operatorToken.kind];
      if (other) add(node.operatorToken, other, `${node.operatorToken.getText(source)} is ${other}`);
    } else if (
      ts.isExpressionStatement(node) &&
      (ts.isCallExpression(node.expression) || ts.isAwaitExpression(node.expression))
    ) {
      // Without super() there is no object.
      if (!node.getText(source).startsWith('super')) add(node, ';', 'a call is gone');
    } else if (ts.isThrowStatement(node)) {
      add(node, ';', 'nothing is thrown');
    } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      add(node, node.operand.getText(source), '! is gone');
    } else if (node.kind === ts.SyntaxKind.TrueKeyword) add(node, 'false', 'true is false');
    else if (node.kind === ts.SyntaxKind.FalseKeyword) add(node, 'true', 'false is true');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
