//! The meaning of programs, as plainly as it can be written: one stack, no preparation.

use crate::ops::{LOADS, OPS, STORES};
use crate::program::{Node, Program, Sig, Ty};

/// Nodes that one call may evaluate.
const STEPS: usize = 20_000;
/// The only size that memories have.
const PAGE: usize = 0x10000;

/// The state of a program.
#[derive(Clone)]
pub struct Machine<'p> {
    program: &'p Program,
    pub globals: Vec<u128>,
    pub memory: Vec<u8>,
    steps: usize,
}

/// Why a call did not return.
pub enum Stop {
    Trap(&'static str),
    /// It takes too many steps.
    Steps,
}

/// Where evaluation goes on.
enum Flow {
    Next,
    /// Out of this many blocks and then to the label.
    Br(usize),
    Return,
}

struct Frame {
    locals: Vec<u128>,
    stack: Vec<u128>,
}

impl Frame {
    fn pop(&mut self) -> u128 {
        self.stack.pop().expect("generated programs are valid")
    }

    fn pops(&mut self, count: usize) -> Vec<u128> {
        self.stack.split_off(self.stack.len() - count)
    }
}

impl<'p> Machine<'p> {
    pub fn new(program: &'p Program) -> Machine<'p> {
        Machine { program, globals: vec![0; Ty::ALL.len()], memory: vec![0; PAGE], steps: 0 }
    }

    /// Calls a function from outside.
    pub fn call(&mut self, func: usize, args: &[u128]) -> Result<Vec<u128>, Stop> {
        self.steps = 0;
        self.invoke(func, args)
    }

    fn invoke(&mut self, index: usize, args: &[u128]) -> Result<Vec<u128>, Stop> {
        let func = &self.program.funcs[index];
        let mut locals = args.to_vec();
        locals.resize(func.locals.len(), 0);
        let mut frame = Frame { locals, stack: Vec::new() };
        self.nodes(&func.body, &mut frame)?;
        Ok(frame.pops(func.results.len()))
    }

    fn nodes(&mut self, nodes: &[Node], frame: &mut Frame) -> Result<Flow, Stop> {
        for node in nodes {
            match self.node(node, frame)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    /// Runs the body of a block; `arity` values are carried by a branch to its label. Whether that happened.
    fn block(
        &mut self,
        Sig(params, _): &Sig,
        arity: usize,
        body: &[Node],
        frame: &mut Frame,
    ) -> Result<(Flow, bool), Stop> {
        let height = frame.stack.len() - params.len();
        match self.nodes(body, frame)? {
            Flow::Br(0) => {
                let values = frame.pops(arity);
                frame.stack.truncate(height);
                frame.stack.extend(values);
                Ok((Flow::Next, true))
            }
            Flow::Br(depth) => Ok((Flow::Br(depth - 1), false)),
            flow => Ok((flow, false)),
        }
    }

    fn address(&self, frame: &mut Frame, offset: u32, bytes: usize) -> Result<usize, Stop> {
        let at = frame.pop() as usize + offset as usize;
        match at + bytes <= self.memory.len() {
            true => Ok(at),
            false => Err(Stop::Trap("out of bounds memory access")),
        }
    }

    fn node(&mut self, node: &Node, frame: &mut Frame) -> Result<Flow, Stop> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(Stop::Steps);
        }
        match node {
            Node::Const(_, bits) => frame.stack.push(*bits),
            Node::LocalGet(i) => frame.stack.push(frame.locals[*i]),
            Node::LocalSet(i) => frame.locals[*i] = frame.pop(),
            Node::LocalTee(i) => {
                frame.locals[*i] = frame.pop();
                frame.stack.push(frame.locals[*i]);
            }
            Node::GlobalGet(i) => frame.stack.push(self.globals[*i]),
            Node::GlobalSet(i) => self.globals[*i] = frame.pop(),
            Node::Drop => drop(frame.pop()),
            Node::Select => {
                let (condition, b, a) = (frame.pop(), frame.pop(), frame.pop());
                frame.stack.push(if condition != 0 { a } else { b });
            }
            Node::Op(i) => {
                let operands = frame.pops(OPS[*i].params.len());
                frame.stack.push((OPS[*i].meaning)(&operands).map_err(Stop::Trap)?);
            }
            Node::Load(i, offset) => {
                let (_, ty, bytes, signed) = LOADS[*i];
                let at = self.address(frame, *offset, bytes)?;
                let raw = &self.memory[at..at + bytes];
                let bits = raw.iter().rev().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
                let shift = 128 - 8 * bytes as u32;
                let extended = ((bits << shift) as i128 >> shift) as u128;
                frame.stack.push(match (signed, ty) {
                    (false, _) => bits,
                    (true, Ty::I32) => u128::from(extended as u32),
                    (true, _) => u128::from(extended as u64),
                });
            }
            Node::Store(i, offset) => {
                let (_, _, bytes) = STORES[*i];
                let value = frame.pop();
                let at = self.address(frame, *offset, bytes)?;
                self.memory[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
            }
            Node::Block(sig, body) => return Ok(self.block(sig, sig.1.len(), body, frame)?.0),
            Node::Loop(sig, body) => loop {
                let (flow, again) = self.block(sig, sig.0.len(), body, frame)?;
                if !again {
                    return Ok(flow);
                }
            },
            Node::If(sig, then, otherwise) => {
                let holds = frame.pop() != 0;
                let body = if holds { then } else { otherwise.as_ref().map_or(&[][..], |b| b) };
                return Ok(self.block(sig, sig.1.len(), body, frame)?.0);
            }
            Node::Br(depth) => return Ok(Flow::Br(*depth)),
            Node::BrIf(depth) => {
                if frame.pop() != 0 {
                    return Ok(Flow::Br(*depth));
                }
            }
            Node::BrTable(depths) => {
                let index = (frame.pop() as usize).min(depths.len() - 1);
                return Ok(Flow::Br(depths[index]));
            }
            Node::Return => return Ok(Flow::Return),
            Node::Unreachable => return Err(Stop::Trap("unreachable")),
            Node::Nop => {}
            Node::Call(func) => self.call_in(*func, frame)?,
            Node::ReturnCall(func) => {
                self.call_in(*func, frame)?;
                return Ok(Flow::Return);
            }
            Node::CallIndirect(func) | Node::ReturnCallIndirect(func) => {
                let (wanted, index) = (&self.program.funcs[*func], frame.pop() as usize);
                let Some(callee) = self.program.funcs.get(index) else {
                    return Err(Stop::Trap("undefined element"));
                };
                if (&callee.params, &callee.results) != (&wanted.params, &wanted.results) {
                    return Err(Stop::Trap("indirect call type mismatch"));
                }
                self.call_in(index, frame)?;
                if matches!(node, Node::ReturnCallIndirect(_)) {
                    return Ok(Flow::Return);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn call_in(&mut self, func: usize, frame: &mut Frame) -> Result<(), Stop> {
        let args = frame.pops(self.program.funcs[func].params.len());
        let results = self.invoke(func, &args)?;
        frame.stack.extend(results);
        Ok(())
    }
}
