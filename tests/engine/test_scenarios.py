"""What a trader would expect of the book, one table per case. How to read one: ``scenario.py``."""

from __future__ import annotations

import pytest

from tests.engine.scenario import play

SCENARIOS = {
    "a limit order that meets nobody rests": """
        before   ask 101  ben 2
                 bid  99  anna 3
        do       dora buys 5 @ 100
        events   rests 5 @ 100 dora
        after    ask 101 ben 2
                 bid 100 dora 5
                 bid 99 anna 3
        money    dora quote 9499 held 501, base 10000 held 0
    """,
    "a taker gets the best prices first and rests what is left": """
        before   ask 102  carl 1
                 ask 101  ben 2
                 bid  99  anna 3
        do       dora buys 5 @ 102
        events   trade 2 @ 101 ben dora
                 trade 1 @ 102 carl dora
                 rests 2 @ 102 dora
        after    bid 102 dora 2
                 bid 99 anna 3
        money    dora quote 9491 held 205, base 10003 held 0
    """,
    "at one price the older order trades first": """
        before   ask 101  ben 2, carl 2
        do       dora buys 3 @ 101
        events   trade 2 @ 101 ben dora
                 trade 1 @ 101 carl dora
        after    ask 101 carl 1
    """,
    "who is filled in part keeps his place": """
        before   ask 101  ben 5, carl 2
        do       dora buys 3 @ 101
                 dora buys 3 @ 101
        events   trade 3 @ 101 ben dora
                 trade 2 @ 101 ben dora
                 trade 1 @ 101 carl dora
        after    ask 101 carl 1
    """,
    "who cancels and comes again stands at the end": """
        before   ask 101  ben 2, carl 2
        do       ben cancels the order @ 101
                 ben sells 2 @ 101
                 dora buys 2 @ 101
        events   cancelled ben: user
                 rests 2 @ 101 ben
                 trade 2 @ 101 carl dora
        after    ask 101 ben 2
    """,
    "a better limit than needed costs nothing: the maker's price holds": """
        before   bid  99  anna 3
        do       dora sells 3 @ 90
        events   trade 3 @ 99 anna dora
        after    empty
        money    dora quote 10297 held 0, base 9997 held 0
                 anna quote 9703 held 0, base 10003 held 0
    """,
    "immediate or cancel takes what is there": """
        before   ask 101  ben 2
                 ask 103  carl 9
        do       dora buys 5 @ 102 ioc
        events   trade 2 @ 101 ben dora
                 cancelled dora: ioc
        after    ask 103 carl 9
        money    dora quote 9798 held 0, base 10002 held 0
    """,
    "fill or kill takes all": """
        before   ask 102  carl 3
                 ask 101  ben 2
        do       dora buys 5 @ 102 fok
        events   trade 2 @ 101 ben dora
                 trade 3 @ 102 carl dora
        after    empty
    """,
    "fill or kill takes nothing if one lot is missing": """
        before   ask 102  carl 2
                 ask 101  ben 2
        do       dora buys 5 @ 102 fok
        events   cancelled dora: fok
        after    ask 102 carl 2
                 ask 101 ben 2
        money    dora quote 10000 held 0, base 10000 held 0
    """,
    "post-only that would take is refused": """
        before   ask 101  ben 2
        do       dora buys 1 @ 101 post only
        events   refused: post_only_would_take
        after    ask 101 ben 2
        money    dora quote 10000 held 0, base 10000 held 0
    """,
    "post-only below the touch rests": """
        before   ask 101  ben 2
        do       dora buys 1 @ 100 post only
        events   rests 1 @ 100 dora
        after    ask 101 ben 2
                 bid 100 dora 1
    """,
    "a market order stops at the band": """
        market   reference 100, band 1000
        before   ask 111  carl 5
                 ask 110  ben 2
        do       dora buys 5
        events   trade 2 @ 110 ben dora
                 cancelled dora: band
        after    ask 111 carl 5
    """,
    "a market order in an empty market ends at once": """
        market   reference 100
        before   bid 99  anna 1
        do       dora buys 5
        events   cancelled dora: no_liquidity
        after    bid 99 anna 1
    """,
    "a market order with nothing to be bounded by is refused": """
        do       dora buys 5
        events   refused: no_reference
    """,
    "a budget buys as many lots as it pays": """
        market   reference 100
        before   ask 102  carl 9
                 ask 101  ben 2
        do       dora buys for 510 quote
        events   trade 2 @ 101 ben dora
                 trade 3 @ 102 carl dora
                 filled dora: budget
        after    ask 102 carl 6
        money    dora quote 9492 held 0, base 10005 held 0
    """,
    "a budget that buys no lot ends empty": """
        market   reference 100
        before   ask 102  carl 9
        do       dora buys for 101 quote
        events   cancelled dora: budget
        after    ask 102 carl 9
    """,
    "a market buy goes as far as the money": """
        market   reference 100
        start    dora quote 250, base 0
        before   ask 101  ben 9
        do       dora buys 5
        events   trade 2 @ 101 ben dora
                 cancelled dora: budget
        after    ask 101 ben 7
        money    dora quote 48 held 0, base 2 held 0
    """,
    "an iceberg shows a part, and the next part stands behind the others": """
        before   ask 101  ben 2 of 5, carl 3
        do       dora buys 4 @ 101
                 anna buys 4 @ 101
        events   trade 2 @ 101 ben dora
                 rests 2 @ 101 ben
                 trade 2 @ 101 carl dora
                 trade 1 @ 101 carl anna
                 trade 2 @ 101 ben anna
                 rests 1 @ 101 ben
                 trade 1 @ 101 ben anna
        after    empty
    """,
    "an iceberg trades with all of it when it arrives": """
        before   ask 101  ben 4
        do       dora buys 9 @ 101 shows 2
        events   trade 4 @ 101 ben dora
                 rests 2 @ 101 dora
        after    bid 101 dora 2 of 5
        money    dora quote 9090 held 506, base 10004 held 0
    """,
    "fill or kill counts what is hidden": """
        before   ask 101  ben 2 of 5
        do       dora buys 5 @ 101 fok
        events   trade 2 @ 101 ben dora
                 rests 2 @ 101 ben
                 trade 2 @ 101 ben dora
                 rests 1 @ 101 ben
                 trade 1 @ 101 ben dora
        after    empty
    """,
    "fill or kill does not reach what is hidden behind an own order": """
        before   ask 101  ben 2 of 5, dora.2 1
        do       dora buys 3 @ 101 fok decrement
                 dora buys 2 @ 101 fok decrement
        events   cancelled dora: fok
                 trade 2 @ 101 ben dora
                 rests 2 @ 101 ben
        after    ask 101 dora.2 1, ben 2 of 3
    """,
    "an iceberg has up to a hundred parts of fewer lots than all": """
        do       dora buys 5 @ 101 shows 5
                 dora buys 101 @ 50 shows 1
                 dora buys 5 @ 101 shows 1 ioc
                 dora buys 100 @ 50 shows 1
        events   refused: invalid_order
                 refused: invalid_order
                 refused: invalid_order
                 rests 1 @ 50 dora
        after    bid 50 dora 1 of 100
    """,
    "what is hidden of an iceberg is given up first": """
        before   ask 101  ben 2 of 6, carl 1
        do       ben amends the order @ 101 to 3
                 dora buys 3 @ 101
        events   amended 3 @ 101 ben
                 trade 2 @ 101 ben dora
                 rests 1 @ 101 ben
                 trade 1 @ 101 carl dora
        after    ask 101 ben 1
    """,
    "own orders do not trade: both lose what they would have traded": """
        before   ask 101  ben 1, dora.2 2, carl 3
        do       dora buys 5 @ 101 decrement
        events   trade 1 @ 101 ben dora
                 prevented
                 expired dora.2: self_trade
                 amended 2 @ 101 dora
                 trade 2 @ 101 carl dora
        after    ask 101 carl 1
    """,
    "own orders do not trade: the larger one goes on": """
        before   ask 101  dora.2 2 of 7
        do       dora buys 3 @ 101 decrement
        events   prevented
                 amended 5 @ 101 dora.2
                 rests 2 @ 101 dora.2
                 amended 1 @ 101 dora
                 prevented
                 amended 4 @ 101 dora.2
                 expired dora: self_trade
        after    ask 101 dora.2 1 of 4
        money    dora quote 10000 held 0, base 10000 held 0
                 dora.2 quote 10000 held 0, base 9996 held 4
    """,
    "own orders do not trade: the taker ends": """
        before   ask 101  ben 1, dora.2 2, carl 3
        do       dora buys 5 @ 101 expire taker
        events   trade 1 @ 101 ben dora
                 prevented
                 expired dora: self_trade
        after    ask 101 dora.2 2, carl 3
    """,
    "own orders do not trade: the maker ends": """
        before   ask 101  ben 1, dora.2 2, carl 3
        do       dora buys 5 @ 101 expire maker
        events   trade 1 @ 101 ben dora
                 prevented
                 expired dora.2: self_trade
                 trade 3 @ 101 carl dora
                 rests 1 @ 101 dora
        after    bid 101 dora 1
    """,
    "own orders do not trade: both end": """
        before   ask 101  ben 1, dora.2 2, carl 3
        do       dora buys 5 @ 101 expire both
        events   trade 1 @ 101 ben dora
                 prevented
                 expired dora.2: self_trade
                 expired dora: self_trade
        after    ask 101 carl 3
    """,
    "fill or kill does not count own orders": """
        before   ask 101  ben 1, dora.2 2, carl 3
        do       dora buys 5 @ 101 fok expire maker
        events   cancelled dora: fok
        after    ask 101 ben 1, dora.2 2, carl 3
    """,
    "a stop wakes when the last price reaches it": """
        market   last 100
        before   bid 95  anna 1
                 bid 94  ben 5
                 stop sell 95  eve 3
        do       dora sells 1 @ 95
        events   trade 1 @ 95 anna dora
                 triggered eve
                 trade 3 @ 94 ben eve
        after    bid 94 ben 2
    """,
    "a stop sleeps while the last price is above it": """
        market   last 100
        before   bid 96  anna 1
                 stop sell 95  eve 3
        do       dora sells 1 @ 96
        events   trade 1 @ 96 anna dora
        after    stop sell 95 eve 3
    """,
    "a stop-limit rests at its limit": """
        market   last 100
        before   bid 95  anna 1
                 stop sell 95 limit 97  eve 3
        do       dora sells 1 @ 95
        events   trade 1 @ 95 anna dora
                 triggered eve
                 rests 3 @ 97 eve
        after    ask 97 eve 3
    """,
    "stops wake in the order in which they came, each before the next": """
        market   last 100
        before   bid 95  anna 1
                 bid 94  ben 1
                 bid 93  carl 1
                 bid 92  carl 9
                 stop sell 93  fred 1
                 stop sell 94  gina 1
                 stop sell 95  eve 1
        do       dora sells 1 @ 95
        events   trade 1 @ 95 anna dora
                 triggered eve
                 trade 1 @ 94 ben eve
                 triggered gina
                 trade 1 @ 93 carl gina
                 triggered fred
                 trade 1 @ 92 carl fred
        after    bid 92 carl 8
    """,
    "of stops that are crossed together the older wakes first": """
        market   last 100
        before   bid 93  anna 9
                 stop sell 94  fred 1
                 stop sell 95  eve 1
        do       dora sells 1 @ 93
        events   trade 1 @ 93 anna dora
                 triggered fred
                 trade 1 @ 93 anna fred
                 triggered eve
                 trade 1 @ 93 anna eve
    """,
    "stops wake only when the order that woke them is done": """
        market   last 100
        before   bid 95  anna 2
                 bid 94  ben 2
                 stop sell 95  eve 2
        do       dora sells 4 @ 94
        events   trade 2 @ 95 anna dora
                 trade 2 @ 94 ben dora
                 triggered eve
                 cancelled eve: no_liquidity
        after    empty
    """,
    "a stop that the price has left again waits on": """
        before   ask 100  ben 5
                 bid 95  anna 1
                 stop buy 94  fred 1
                 stop sell 96  eve 1
        do       dora sells 1 @ 95
        events   trade 1 @ 95 anna dora
                 triggered fred
                 trade 1 @ 100 ben fred
        after    ask 100 ben 4
                 stop sell 96 eve 1
    """,
    "a stop that is crossed already is refused": """
        market   last 100
        do       dora sells 1 stop 100
                 dora buys 1 stop 100
                 dora sells 1 stop 99
        events   refused: would_trigger
                 refused: would_trigger
        after    stop sell 99 dora 1
    """,
    "a take-profit wakes on the other side: to sell, when the price has risen": """
        market   last 100
        before   ask 105  anna 1
                 bid 104  ben 5
                 take sell 105  eve 3
        do       dora buys 1 @ 105
        events   trade 1 @ 105 anna dora
                 triggered eve
                 trade 3 @ 104 ben eve
        after    bid 104 ben 2
    """,
    "a take-profit to buy wakes when the price has fallen": """
        market   last 100
        before   ask 97  anna 5
                 bid 95  ben 1
                 take buy 95  eve 3
        do       dora sells 1 @ 95
        events   trade 1 @ 95 ben dora
                 triggered eve
                 trade 3 @ 97 anna eve
        after    ask 97 anna 2
    """,
    "a take-profit-limit rests at its limit": """
        market   last 100
        before   ask 105  anna 1
                 take sell 105 limit 106  eve 3
        do       dora buys 1 @ 105
        events   trade 1 @ 105 anna dora
                 triggered eve
                 rests 3 @ 106 eve
        after    ask 106 eve 3
    """,
    "a take-profit that is reached already is refused": """
        market   last 100
        do       dora sells 1 take 100
                 dora buys 1 take 100
                 dora sells 1 @ 80 take 101
                 dora sells 1 take 101
        events   refused: would_trigger
                 refused: would_trigger
                 refused: price_band
        after    take sell 101 dora 1
    """,
    "a trailing stop follows the price up and wakes when it has fallen by the distance": """
        market   last 100
        before   ask 110  anna 1
                 bid 106  ben 1
                 bid 105  carl 1
                 bid 104  fred 5
                 trail sell 5  eve 3
        do       dora buys 1 @ 110
                 dora sells 1 @ 106
                 dora sells 1 @ 105
        events   trade 1 @ 110 anna dora
                 trade 1 @ 106 ben dora
                 trade 1 @ 105 carl dora
                 triggered eve
                 trade 3 @ 104 fred eve
        after    bid 104 fred 2
    """,
    "a trailing stop to buy follows the price down": """
        market   last 100
        before   bid 90  anna 1
                 ask 95  ben 9
                 trail buy 5  eve 3
        do       dora sells 1 @ 90
                 dora buys 1 @ 95
        events   trade 1 @ 90 anna dora
                 trade 1 @ 95 ben dora
                 triggered eve
                 trade 3 @ 95 ben eve
        after    ask 95 ben 5
    """,
    "a trailing stop trails from its activation price on": """
        market   last 100
        before   ask 103  anna 1
                 bid 96  fred 1
                 bid 94  ben 1
                 bid 93  carl 5
                 trail sell 5 from 103  eve 3
        do       dora sells 1 @ 96
                 dora sells 1 @ 94
                 dora buys 1 @ 103
                 dora sells 1 @ 93
        events   trade 1 @ 96 fred dora
                 trade 1 @ 94 ben dora
                 trade 1 @ 103 anna dora
                 trade 1 @ 93 carl dora
                 triggered eve
                 trade 3 @ 93 carl eve
        after    bid 93 carl 1
    """,
    "a trailing stop by basis points is behind by a share of the best price, at least a tick": """
        market   last 100
        before   bid 98  anna 1
                 bid 97  ben 9
                 trail sell 250 bps  eve 3
                 trail sell 10 bps  fred 1
        do       dora sells 1 @ 98
        events   trade 1 @ 98 anna dora
                 triggered eve
                 trade 3 @ 97 ben eve
                 triggered fred
                 trade 1 @ 97 ben fred
        after    bid 97 ben 5
    """,
    "a trailing stop needs a last price, or one to be active from": """
        do       dora sells 1 trail 5
                 dora sells 1 trail 5 from 5
                 dora sells 1 trail 5 from 6
        events   refused: no_reference
                 refused: invalid_price
        after    trail sell 5 from 6 dora 1
    """,
    "a trailing stop holds for its first stop, which is its worst": """
        market   last 100, band 1000
        do       dora buys 3 trail 10
        money    dora quote 9636 held 364, base 10000 held 0
    """,
    "more of a trailing stop trails what it has trailed": """
        market   last 100
        before   bid 99  anna 9
                 ask 110  ben 1
                 trail sell 5  eve 3
                 trail sell 5 from 120  fred 3
        do       dora buys 1 @ 110
                 eve amends the order @ 86 to 4
                 dora sells 1 @ 99
        events   trade 1 @ 110 ben dora
                 amended 4 @ 86 eve
                 trade 1 @ 99 anna dora
                 triggered eve
                 trade 4 @ 99 anna eve
        after    bid 99 anna 4
                 trail sell 5 from 120 fred 3
    """,
    "good till date ends on its date, before anything else happens": """
        before   bid 90  anna 1
        do       dora sells 5 @ 101 gtd 60
                 wait 60 seconds
                 ben buys 5 @ 101
        events   rests 5 @ 101 dora
                 expired dora: gtd
                 rests 5 @ 101 ben
        after    bid 101 ben 5
                 bid 90 anna 1
    """,
    "a price outside the band is refused on the aggressive side only": """
        market   reference 100, band 1000
        do       dora buys 1 @ 111
                 dora buys 1 @ 110
                 dora buys 1 @ 5
                 ben sells 1 @ 900
        events   refused: price_band
                 rests 1 @ 110 dora
                 rests 1 @ 5 dora
                 rests 1 @ 900 ben
    """,
    "fees: the maker pays less than the taker": """
        market   maker fee 800 ppm, taker fee 1000 ppm
        before   ask 1000  ben 5
        do       dora buys 5 @ 1000
        money    dora quote 4995 held 0, base 10005 held 0
                 ben quote 14996 held 0, base 9995 held 0
                 house quote 9
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    play(SCENARIOS[name])
