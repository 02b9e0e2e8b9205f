//! From tokens to an expression, by recursive descent; NOT and parentheses nest to a limit, everything else is a loop.

use super::Fault;
use super::expression::{Expression, Place};
use super::token::{Keyword, Token, Tokens};
use super::value::{Operator, Value, compare};

/// Most parentheses and NOTs inside each other.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(text: &str) -> Result<Expression, Fault> {
    let mut parser = Parser { tokens: Tokens::new(text), token: Token::End, at: 0, depth: 0 };
    parser.advance()?;
    if parser.token == Token::End {
        return Err(parser.fault("the expression is empty; subscribe by the tag * for all messages"));
    }
    let begin = parser.at;
    let expression = parser.any()?;
    if parser.token != Token::End {
        return Err(parser.expected("AND, OR or the end"));
    }
    parser.condition(expression, begin)
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    /// The token to look at, and where it begins.
    token: Token,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<Token, Fault> {
        let (next, at) = self.tokens.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Takes the next token if it is this one.
    fn took(&mut self, token: &Token) -> Result<bool, Fault> {
        let is_it = self.token == *token;
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    fn took_word(&mut self, keyword: Keyword) -> Result<bool, Fault> {
        self.took(&Token::Keyword(keyword))
    }

    fn took_sign(&mut self, sign: &'static str) -> Result<bool, Fault> {
        self.took(&Token::Sign(sign))
    }

    /// A fault at the token that comes next.
    fn fault(&self, what: impl AsRef<str>) -> Fault {
        self.tokens.fault(self.at, what)
    }

    fn expected(&self, what: &str) -> Fault {
        self.fault(format!("expected {what}, found {}", self.token))
    }

    /// What stands between ORs.
    fn any(&mut self) -> Result<Expression, Fault> {
        self.joined(Keyword::Or, Expression::Any, |parser| {
            parser.joined(Keyword::And, Expression::All, Self::predicate)
        })
    }

    /// One or more parts with `word` between them; a part by itself may be a value.
    fn joined(
        &mut self,
        word: Keyword,
        join: impl Fn(Vec<Expression>) -> Expression,
        part: impl Fn(&mut Self) -> Result<Expression, Fault>,
    ) -> Result<Expression, Fault> {
        let begin = self.at;
        let first = part(self)?;
        if self.token != Token::Keyword(word) {
            return Ok(first);
        }
        let mut parts = vec![self.condition(first, begin)?];
        while self.took_word(word)? {
            let begin = self.at;
            let next = part(self)?;
            parts.push(self.condition(next, begin)?);
        }
        Ok(join(parts))
    }

    /// An operand, perhaps compared with something.
    fn predicate(&mut self) -> Result<Expression, Fault> {
        let begin = self.at;
        let left = self.operand()?;
        if let Token::Sign(sign) = self.token
            && let Some(operator) = Operator::of(sign)
        {
            self.advance()?;
            let right_at = self.at;
            let right = self.operand()?;
            self.comparable(&left, operator, begin)?;
            self.comparable(&right, operator, right_at)?;
            return Ok(Expression::Compare(left.into(), operator, right.into()));
        }
        if self.took_word(Keyword::Is)? {
            let is_not = self.took_word(Keyword::Not)?;
            if !self.took_word(Keyword::Null)? {
                return Err(self.expected("NULL"));
            }
            return Ok(negated_if(is_not, Expression::IsNull(left.into())));
        }
        let is_not = self.took_word(Keyword::Not)?;
        let place = match self.token {
            Token::Keyword(Keyword::Between) => return self.between(left, is_not, begin),
            Token::Keyword(Keyword::In) => return self.within(left, is_not, begin),
            Token::Keyword(Keyword::Contains) => Place::Anywhere,
            Token::Keyword(Keyword::StartsWith) => Place::Start,
            Token::Keyword(Keyword::EndsWith) => Place::End,
            _ if is_not => return Err(self.expected("BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH")),
            _ => return Ok(left),
        };
        let property = self.property(left, begin)?;
        self.advance()?;
        let part_at = self.at;
        let part = self.text()?;
        if part.is_empty() {
            return Err(self.tokens.fault(part_at, "the empty text is never found"));
        }
        Ok(negated_if(is_not, Expression::Has { property, place, part }))
    }

    /// What follows BETWEEN.
    fn between(&mut self, value: Expression, is_not: bool, begin: usize) -> Result<Expression, Fault> {
        self.comparable(&value, Operator::Less, begin)?;
        self.advance()?;
        let low_at = self.at;
        let low = self.operand()?;
        self.comparable(&low, Operator::Less, low_at)?;
        if !self.took_word(Keyword::And)? {
            return Err(self.expected("AND and the upper bound"));
        }
        let high_at = self.at;
        let high = self.operand()?;
        self.comparable(&high, Operator::Less, high_at)?;
        let wrong_way_round = number(&low).zip(number(&high));
        if wrong_way_round.is_some_and(|(low, high)| compare(low, Operator::Greater, high) == Some(true)) {
            return Err(self.tokens.fault(low_at, "the lower bound is above the upper one"));
        }
        let compared =
            |operator, bound: Expression| Expression::Compare(value.clone().into(), operator, bound.into());
        Ok(if is_not {
            Expression::Any(vec![compared(Operator::Less, low), compared(Operator::Greater, high)])
        } else {
            Expression::All(vec![
                compared(Operator::GreaterOrEqual, low),
                compared(Operator::LessOrEqual, high),
            ])
        })
    }

    /// What follows IN: texts only, as RocketMQ wants it.
    fn within(&mut self, value: Expression, is_not: bool, begin: usize) -> Result<Expression, Fault> {
        let property = self.property(value, begin)?;
        self.advance()?;
        if !self.took_sign("(")? {
            return Err(self.expected("\"(\" after IN"));
        }
        let mut texts = vec![self.text()?];
        while self.took_sign(",")? {
            texts.push(self.text()?);
        }
        if !self.took_sign(")")? {
            return Err(self.expected("\",\" or \")\""));
        }
        Ok(negated_if(is_not, Expression::In { property, texts }))
    }

    fn text(&mut self) -> Result<String, Fault> {
        match &mut self.token {
            Token::Text(text) => {
                let text = std::mem::take(text);
                self.advance()?;
                Ok(text)
            }
            _ => Err(self.expected("a text in single quotes")),
        }
    }

    /// A literal, a property, or something in parentheses or after NOT.
    fn operand(&mut self) -> Result<Expression, Fault> {
        if self.took_word(Keyword::Not)? {
            let begin = self.at;
            let inner = self.nested(Self::operand)?;
            if let Expression::Property(name) = &inner {
                let what = format!("NOT takes a condition in parentheses, as in NOT ({name} = 'x')");
                return Err(self.tokens.fault(begin, what));
            }
            return Ok(Expression::Not(self.condition(inner, begin)?.into()));
        }
        if self.took_sign("(")? {
            let inner = self.nested(Self::any)?;
            if !self.took_sign(")")? {
                return Err(self.expected("\")\""));
            }
            return Ok(inner);
        }
        let is_negative = self.token == Token::Sign("-");
        let is_signed = is_negative || self.token == Token::Sign("+");
        if is_signed {
            self.advance()?;
        }
        let sign = if is_negative { -1 } else { 1 };
        let operand = match &mut self.token {
            Token::Integer(number) => Expression::Integer(sign * *number),
            Token::Decimal(number) => Expression::Decimal(sign as f64 * *number),
            _ if is_signed => return Err(self.expected("a number after the sign")),
            Token::Name(name) => Expression::Property(std::mem::take(name)),
            Token::Text(text) => Expression::Text(std::mem::take(text)),
            Token::Keyword(Keyword::True) => Expression::Boolean(true),
            Token::Keyword(Keyword::False) => Expression::Boolean(false),
            Token::Keyword(Keyword::Null) => Expression::Null,
            _ => return Err(self.expected("a property, a value or \"(\"")),
        };
        self.advance()?;
        Ok(operand)
    }

    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Expression, Fault>,
    ) -> Result<Expression, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(self.fault(format!("more than {MAX_DEPTH} parentheses and NOTs inside each other")));
        }
        self.depth += 1;
        let expression = inner(self);
        self.depth -= 1;
        expression
    }

    /// `expression`, if it is true or false of a message; it begins at `begin`.
    fn condition(&self, expression: Expression, begin: usize) -> Result<Expression, Fault> {
        let what = match &expression {
            Expression::Property(name) => {
                format!("{name} alone is no condition: compare it, as in {name} = TRUE or {name} IS NOT NULL")
            }
            Expression::Text(_) | Expression::Integer(_) | Expression::Decimal(_) | Expression::Null => {
                "a value alone is no condition: compare a property with it".to_owned()
            }
            _ => return Ok(expression),
        };
        Err(self.tokens.fault(begin, what))
    }

    /// Refuses what `operator` cannot compare.
    fn comparable(&self, side: &Expression, operator: Operator, begin: usize) -> Result<(), Fault> {
        let what = match side {
            Expression::Property(_) | Expression::Integer(_) | Expression::Decimal(_) => return Ok(()),
            Expression::Null => "nothing equals NULL: write IS NULL or IS NOT NULL",
            _ if operator.is_of_order() => "only numbers and properties have an order",
            _ => return Ok(()),
        };
        Err(self.tokens.fault(begin, what))
    }

    fn property(&self, expression: Expression, begin: usize) -> Result<String, Fault> {
        match expression {
            Expression::Property(name) => Ok(name),
            _ => Err(self.tokens.fault(begin, format!("expected a property before {}", self.token))),
        }
    }
}

fn negated_if(is_not: bool, condition: Expression) -> Expression {
    if is_not { Expression::Not(condition.into()) } else { condition }
}

fn number(expression: &Expression) -> Option<Value<'static>> {
    match expression {
        Expression::Integer(number) => Some(Value::Integer(*number)),
        Expression::Decimal(number) => Some(Value::Decimal(*number)),
        _ => None,
    }
}
