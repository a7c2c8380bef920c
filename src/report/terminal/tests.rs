use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::model::Span;
use crate::report::sample;

fn side(length: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(length).expect("a screen has rows and columns")
}

/// What a person would see.
#[derive(Clone)]
struct Screen(Rc<RefCell<vt100::Parser>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A terminal in its usual mode adds the carriage return.
        let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
        self.0.borrow_mut().process(text.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        self.0.borrow().screen().contents()
    }
}

struct Stage {
    screen: Screen,
    size: Rc<Cell<(usize, usize)>>,
    plan: Arc<Plan>,
    view: View,
    terminal: Terminal<Screen>,
}

impl Stage {
    fn new(columns: u16, rows: u16) -> Self {
        let plan = Arc::new(sample::plan());
        let screen = Screen(Rc::new(RefCell::new(vt100::Parser::new(side(rows), side(columns), 1000))));
        let size = Rc::new(Cell::new((usize::from(columns), usize::from(rows))));
        let asked = Rc::clone(&size);
        let view = sample::view(&plan);
        let terminal =
            Terminal::new(Arc::clone(&plan), screen.clone(), Box::new(move || asked.get()), Theme::new(true, true));
        Self { screen, size, plan, view, terminal }
    }

    fn play(&mut self, notices: &[Told]) {
        for told in notices {
            self.view.take(&self.plan, told);
            self.terminal.tell(told);
            for later in [0, 250] {
                self.view.look(&self.plan, told.at.after(Span::from_millis(later)));
                self.terminal.refresh(&self.view);
            }
        }
    }
}

#[test]
fn news_scrolls_by_above_a_block_that_is_drawn_in_place() {
    let mut stage = Stage::new(80, 30);
    stage.play(&sample::to_the_promotion());
    insta::assert_snapshot!(stage.screen.text(), @r"
      0:00.0  · run of promote_orders_db starts: 3 phases, 8 steps
      0:00.0  · phase warmup starts
      0:09.3  ! step basebackup is tried again in 5s (try 2 of 3): its action
                failed: exit code 1 pg_basebackup: error: connection refused
      1:14.5  ✓ step basebackup is done (1m 14s, 2 attempts)
      1:20.1  ✓ step prewarm is done (5.6s)
      1:20.2  ✓ phase warmup is done (1m 20s)
      1:20.2  · phase cutover starts
      1:20.2  ◆ gate ready asks: Replica is warm. Cut over now?
      2:05.0  ✓ gate ready: go, by alice
      2:06.2  ✓ step fence_old is done (1.2s)
    ── promote_orders_db ─ FORWARD ─ 2m 7s of 1h 30m ────────────────── run 7f3a ──
      ✓ warmup          2 steps                                              1m 20s
        ✓ basebackup    done after 2 attempts                                1m 14s
        ✓ prewarm       done                                                   5.6s
      ▸ cutover         2 of 4 steps                   ━╌╌╌╌╌╌╌╌╌         47s of 8m
        ✓ ready         done                                                  44.7s
        ✓ fence_old     done                                                   1.2s
        ▹ promote       measuring probe.new_writable   ╌╌╌╌╌╌╌╌╌╌         0s of 10s
        · switch_proxy  
      · complete        2 steps
        · sign_off      
        · drop_old      
      guards:   1 asleep
      next:     switch_proxy
      way back: open, 3 undos, at most 45s
    ");
}

#[test]
fn after_the_end_nothing_of_the_block_is_left() {
    let mut stage = Stage::new(80, 30);
    let plan = Arc::clone(&stage.plan);
    stage.play(&sample::rolled_back(&plan));
    stage.terminal.finish();
    insta::assert_snapshot!(stage.screen.text(), @r"
    1:14.5  ✓ step basebackup is done (1m 14s, 2 attempts)
    1:20.1  ✓ step prewarm is done (5.6s)
    1:20.2  ✓ phase warmup is done (1m 20s)
    1:20.2  · phase cutover starts
    1:20.2  ◆ gate ready asks: Replica is warm. Cut over now?
    2:05.0  ✓ gate ready: go, by alice
    2:06.2  ✓ step fence_old is done (1.2s)
    2:08.4  ✗ guard errors breached (`probe.errors < 5`); the run goes back:
              probe.errors = 112 /s
    2:08.4  ↶ rollback starts, back to the start: guard errors was breached
    2:10.0  ↶ step promote is undone
    2:10.9  ↶ step fence_old is undone
    2:13.0  ↶ step basebackup is undone
    2:14.0  ↶ rollback finished, back at the start, verified
    2:14.0  ↶ run rolled back, and verified (2m 14s in all)
    ");
    let screen = stage.screen.0.borrow();
    assert_eq!(screen.screen().cursor_position().1, 0, "whatever is written next begins on a fresh line");
    assert!(!screen.screen().hide_cursor());
}

#[test]
fn a_prompt_finds_a_clean_screen_and_the_block_comes_back_behind_it() {
    let mut stage = Stage::new(80, 24);
    stage.play(&sample::to_the_gate());
    stage.terminal.suspend();
    assert!(!stage.screen.text().contains("way back"), "{}", stage.screen.text());
    let before = stage.screen.text();
    stage.terminal.refresh(&stage.view);
    assert_eq!(stage.screen.text(), before, "nothing is drawn while a prompt has the screen");

    stage.screen.write_all(b"Go or no-go? go\n").expect("the screen takes everything");
    stage.terminal.resume();
    stage.terminal.refresh(&stage.view);
    let text = stage.screen.text();
    let (prompt, block) = (text.find("Go or no-go? go"), text.find("way back"));
    assert!(prompt.is_some() && prompt < block, "{text}");
}

#[test]
fn news_told_during_a_prompt_is_shown_afterwards() {
    let mut stage = Stage::new(80, 24);
    stage.terminal.suspend();
    for told in sample::to_the_gate() {
        stage.terminal.tell(&told);
    }
    assert_eq!(stage.screen.text(), "");
    stage.terminal.resume();
    stage.terminal.refresh(&stage.view);
    assert!(stage.screen.text().contains("gate ready asks"), "{}", stage.screen.text());
}

#[test]
fn a_block_that_shrinks_or_a_screen_that_grows_leaves_no_remains() {
    let mut stage = Stage::new(80, 24);
    stage.play(&sample::to_the_promotion());
    stage.size.set((100, 24));
    stage.screen.0.borrow_mut().screen_mut().set_size(side(24), side(100));
    stage.terminal.refresh(&stage.view);
    stage.view.phases.clear();
    stage.view.steps.truncate(1);
    stage.terminal.refresh(&stage.view);
    let text = stage.screen.text();
    assert_eq!(text.matches("way back:").count(), 1, "{text}");
    assert_eq!(text.matches("FORWARD").count(), 1, "{text}");
}

#[test]
fn a_burst_of_news_is_all_in_the_scroll_back_in_order() {
    let mut stage = Stage::new(120, 24);
    for n in 0..250 {
        let mut told = sample::told(n, crate::engine::Notice::OrderIgnored);
        told.evidence = Some(format!("order {n}"));
        stage.terminal.tell(&told);
    }
    stage.terminal.finish();
    let mut seen = Vec::new();
    let mut parser = stage.screen.0.borrow_mut();
    for back in (0..=1000).rev() {
        parser.screen_mut().set_scrollback(back);
        if parser.screen().scrollback() == back {
            seen.push(parser.screen().rows(0, 120).next().unwrap_or_default());
        }
    }
    let all = seen.join("\n");
    for n in 0..220 {
        assert!(all.contains(&format!("order {n}")), "{n} is missing");
    }
}
