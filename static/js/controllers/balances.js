// The balances of the portfolio page, kept current.

import { account, follow } from "account";
import { balanceCells } from "order-words";
import { fill } from "rows";

export default function balances(table) {
  follow(() => {
    for (const row of table.tBodies[0].rows) {
      const balance = account.balances.get(row.dataset.id);
      if (balance) fill(row, balanceCells(balance));
    }
  });
}
